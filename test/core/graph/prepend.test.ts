import ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { PermanentError } from '#core/errors';
import { applyModel, importModel } from '#core/graph/import';
import { toModel } from '#core/graph/model';
import { readModel, readOutline, writeModel, writeOutline } from '#core/graph/onnx';
import { add, matmul, mul, relu, reshape } from '#core/graph/ops';
import { prepend } from '#core/graph/prepend';
import { constant, input, integers } from '#core/graph/tensor';
import { runModel } from './runtime.ts';

const floats = (values: number[], dims: number[]) => constant(Float32Array.from(values), dims);

/** y = relu(image · weights + 1), with names as those of the head, a small constant that both hold, and metadata. */
function stored(): Uint8Array {
  const image = input('image', 'float32', ['N', 3]);
  const weights = floats([1, -2, 3, 4, 5, -6], [3, 2]);
  const y = relu(add(matmul(image, weights), floats([1], [])));
  return toModel({ name: 'stored', inputs: [image], outputs: { y, z: mul(y, floats([2], [])) }, metadata: { a: 'b' } });
}

/** image = raw · 2 + 1 as rows of three; two inputs. */
function head() {
  const [raw, factor] = [input('raw', 'float32', ['M']), input('factor', 'float32', [])];
  const image = reshape(add(mul(raw, factor), floats([1], [])), integers([-1, 3]));
  return { inputs: [raw, factor], image };
}

const headBytes = () => {
  const { inputs, image } = head();
  return toModel({ name: 'head', inputs, outputs: { image } });
};

const feeds = () => ({
  raw: new ort.Tensor('float32', Float32Array.of(0.5, 2, -1, 3, 0.25, 7), [6]),
  factor: new ort.Tensor('float32', Float32Array.of(2), []),
});

describe('a head before a stored model', () => {
  test('computes what the two composed node by node compute', async () => {
    const { inputs, image } = head();
    const model = importModel(stored());
    const [y, z] = applyModel(model, { image }, ['y', 'z']);
    const composed = await runModel(toModel({ name: 'composed', inputs, outputs: { y: y!, z: z! } }), feeds());
    const prepended = await runModel(prepend(headBytes(), readOutline(stored()), 'image'), feeds());
    expect(Object.keys(prepended)).toEqual(['y', 'z']);
    for (const name of ['y', 'z']) {
      expect(prepended[name]!.dims).toEqual(composed[name]!.dims);
      expect(prepended[name]!.data).toEqual(composed[name]!.data);
    }
  });

  test('leaves the rest of the file as it was', () => {
    const before = readModel(stored());
    const after = readModel(prepend(headBytes(), readOutline(stored()), 'image'));
    expect(after.metadataProps).toEqual(before.metadataProps);
    expect(after.opsetImport).toEqual(before.opsetImport);
    expect(after.graph!.output).toEqual(before.graph!.output);
    expect(after.graph!.input!.map(({ name }) => name)).toEqual(['raw', 'factor']);
    expect(after.graph!.node!.slice(-before.graph!.node!.length)).toEqual(before.graph!.node);
    const names = after.graph!.initializer!.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  test('an outline is written as it was read', () => {
    expect(writeOutline(readOutline(stored()))).toEqual(stored());
  });

  test.each([
    ['another input', { input: [{ name: 'x' }] }, 'takes x, not image alone'],
    ['two inputs', { input: [{ name: 'image' }, { name: 'x' }] }, 'takes image, x, not image alone'],
  ])('a model with %s is refused', (_, change, message) => {
    const model = readModel(stored());
    const changed = writeModel({ ...model, graph: { ...model.graph, ...change } });
    expect(() => prepend(headBytes(), readOutline(changed), 'image')).toThrow(message);
    expect(() => prepend(headBytes(), readOutline(changed), 'image')).toThrow(PermanentError);
  });

  test('a model of operators that meant something else is refused', () => {
    const changed = writeModel({ ...readModel(stored()), opsetImport: [{ version: 18 }] });
    expect(() => prepend(headBytes(), readOutline(changed), 'image')).toThrow('uses opset 18; it needs 19 or newer');
  });

  test('what is no model is refused', () => {
    expect(() => readOutline(Uint8Array.of(1, 2, 3))).toThrow('not a readable ONNX model');
    expect(() => readOutline(new Uint8Array(0))).toThrow('the file is empty');
  });
});
