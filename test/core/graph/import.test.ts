/** Foreign models: read, spliced into our graphs, and run. */
import ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { PermanentError } from '#core/errors';
import { applyModel, importModel } from '#core/graph/import';
import { toModel } from '#core/graph/model';
import { type AttributeProto, type NodeProto, readModel, writeModel } from '#core/graph/onnx';
import { add, mul, relu } from '#core/graph/ops';
import { print } from '#core/graph/print';
import { constant, input } from '#core/graph/tensor';
import { both, int, ints, modelOf, node, numbers, small, text, valueInfo } from './foreign-models.ts';
import { runModel } from './runtime.ts';

describe('splicing', () => {
  const weights = numbers(
    'w',
    [4, 4],
    Float32Array.from({ length: 16 }, (_, i) => i / 16),
  );
  const bytes = small(
    13,
    ['N', 4],
    [
      node('MatMul', ['x', 'w'], ['inner']),
      node('Relu', ['inner'], ['r']),
      node('LeakyRelu', ['r'], ['y']),
      node('Exp', ['inner'], ['unused']),
    ],
    [weights],
  );

  test('takes inner tensors, and only the nodes they need', () => {
    const x = input('x', 'float32', ['N', 4]);
    const [inner] = applyModel(importModel(bytes), { x }, ['inner'], 'net');
    const graph = readModel(toModel({ name: 'm', inputs: [x], outputs: { z: relu(inner!) } })).graph!;
    expect(graph.node!.map(({ name, opType }) => [name, opType])).toEqual([
      ['net/MatMul_0', 'MatMul'],
      ['Relu_0', 'Relu'],
    ]);
  });

  test('shares the weights of a model applied twice', () => {
    const model = importModel(bytes);
    const x = input('x', 'float32', ['N', 4]);
    const [first] = applyModel(model, { x }, ['y'], 'a');
    const [second] = applyModel(model, { x: mul(x, constant(2)) }, ['y'], 'b');
    const written = toModel({ name: 'm', inputs: [x], outputs: { z: add(first!, second!) } });
    expect(readModel(written).graph!.initializer!.map(({ dims = [] }) => dims)).toEqual([[4, 4], []]);
  });

  test('starts from an inner tensor that is fed', () => {
    const r = input('r', 'float32', ['N', 4]);
    const [y] = applyModel(importModel(bytes), { r }, ['y']);
    expect(print([y!])).toContain('LeakyRelu(r)');
    expect(print([y!])).not.toContain('MatMul');
  });

  test('does not ask for weights that are listed as inputs', () => {
    const listed = modelOf(8, {
      node: [node('MatMul', ['x', 'w'], ['y'])],
      initializer: [weights],
      input: [valueInfo('x', ['N', 4]), valueInfo('w', [4, 4])],
      output: [valueInfo('y', ['N', 4])],
    });
    expect(importModel(listed).inputs).toEqual([{ name: 'x', type: 'float32', dims: ['N', 4] }]);
  });

  test('keeps branches, with names of their own and what they read from around them', async () => {
    const branch = (name: string, nodes: NodeProto[]): AttributeProto => ({
      name,
      type: 5,
      g: { name, node: nodes, output: [valueInfo('r')] },
    });
    const graph = small(
      13,
      [3],
      [
        node('ReduceSum', ['x'], ['total'], int('keepdims', 0)),
        node('Constant', [], ['zero'], { name: 'value', type: 4, t: numbers('', [], Float32Array.of(0)) }),
        node('Greater', ['total', 'zero'], ['isPositive']),
        node('Neg', ['x'], ['minus']),
        node(
          'If',
          ['isPositive'],
          ['y'],
          branch('then_branch', [node('Add', ['x', 'total'], ['t']), node('Identity', ['t'], ['r'])]),
          branch('else_branch', [node('Softmax', ['minus'], ['r'])]),
        ),
      ],
    );
    const model = importModel(graph);
    const x = input('x', 'float32', [3]);
    // twice in one graph: inner names must not collide
    const [once] = applyModel(model, { x }, ['y'], 'a');
    const [again] = applyModel(model, { x: mul(x, constant(-1)) }, ['y'], 'b');
    const composed = toModel({ name: 'm', inputs: [x], outputs: { once: once!, again: again! } });
    const run = async (bytes: Uint8Array, data: number[]) =>
      runModel(bytes, { x: new ort.Tensor('float32', Float32Array.from(data), [3]) });
    for (const data of [
      [1, 2, 3],
      [-1, -2, -3],
    ]) {
      const results = await run(composed, data);
      expect(results.once!.data).toEqual((await run(graph, data)).y!.data);
      expect(results.again!.data).toEqual(
        (
          await run(
            graph,
            data.map(v => -v),
          )
        ).y!.data,
      );
    }
  });

  test('brings operators of other domains along', () => {
    const foreign = writeModel({
      irVersion: 8,
      opsetImport: [{ version: 13 }, { domain: 'com.microsoft', version: 1 }],
      graph: {
        node: [{ ...node('Gelu', ['x'], ['y']), domain: 'com.microsoft' }],
        input: [valueInfo('x', [3])],
        output: [valueInfo('y')],
      },
    });
    const x = input('x', 'float32', [3]);
    const [y] = applyModel(importModel(foreign), { x }, ['y']);
    const written = readModel(toModel({ name: 'm', inputs: [x], outputs: { y: y! } }));
    expect(written.opsetImport).toEqual([{ version: 21 }, { domain: 'com.microsoft', version: 1 }]);
    expect(written.graph!.node![0]!.domain).toBe('com.microsoft');
  });
});

describe('sizes that are computed in the graph', () => {
  test('are followed from one map to the size of another', async () => {
    // what PyTorch writes for F.interpolate(pool(x), size=x.shape[2:])
    const axes = (name: string, ...values: number[]) =>
      numbers(name, [values.length], BigInt64Array.from(values, BigInt));
    const bytes = small(
      17,
      ['N', 2, 'H', 'W'],
      [
        node('MaxPool', ['x'], ['pooled'], ints('kernel_shape', 3, 3), ints('strides', 2, 2)),
        node('Shape', ['x'], ['whole']),
        node('Gather', ['whole', 'two'], ['height']),
        node('Gather', ['whole', 'three'], ['width']),
        node('Unsqueeze', ['height', 'first'], ['h']),
        node('Unsqueeze', ['width', 'first'], ['w']),
        node('Shape', ['pooled'], ['small']),
        node('Slice', ['small', 'first', 'twos'], ['kept']),
        node('Concat', ['kept', 'h', 'w'], ['sizes'], int('axis', 0)),
        node('Resize', ['pooled', '', '', 'sizes'], ['large'], text('mode', 'linear')),
        node('Concat', ['large', 'x'], ['y'], int('axis', 1)),
      ],
      [{ ...axes('two', 2), dims: [] }, { ...axes('three', 3), dims: [] }, axes('first', 0), axes('twos', 2)],
    );
    const { composed, original, spliced } = await both(bytes, [2, 2, 9, 7]);
    expect(spliced[0]!.dims).toEqual(['d0', '2*d1', 'd2', 'd3']);
    expect(composed.y!.data).toEqual(original.y!.data);
  });

  test('may be beyond following', async () => {
    const scale = numbers('scale', [4], Float32Array.of(1, 1, 2, 2));
    const bytes = small(
      13,
      ['N', 1, 'H', 'W'],
      [
        node('Shape', ['x'], ['sizes']),
        node('Cast', ['sizes'], ['floats'], int('to', 1)),
        node('Mul', ['floats', 'scale'], ['scaled']),
        node('Floor', ['scaled'], ['whole']),
        node('Cast', ['whole'], ['target'], int('to', 7)),
        node('Resize', ['x', '', '', 'target'], ['y']),
      ],
      [scale],
    );
    const { composed, original, spliced } = await both(bytes, [1, 1, 3, 4]);
    expect(spliced[0]!.dims.map(String).every(dim => dim.startsWith('?'))).toBe(true);
    expect(composed.y!.dims).toEqual([1, 1, 6, 8]);
    expect(composed.y!.data).toEqual(original.y!.data);
  });
});

describe('what cannot be used', () => {
  const x = input('x', 'float32', ['N', 4]);
  const plain = small(13, ['N', 4], [node('Relu', ['x'], ['y'])]);
  const refused = (build: () => unknown, message: RegExp) => {
    expect(build).toThrow(PermanentError);
    expect(build).toThrow(message);
  };

  test('operators without a known way to opset 21', () => {
    const old = small(18, [1, 4, 2, 2], [node('GroupNormalization', ['x', 'x', 'x'], ['y'], int('num_groups', 2))]);
    refused(
      () => importModel(old),
      /"the GroupNormalization of y" \(GroupNormalization of opset 18\).*export the model again/,
    );
    const unknown = small(9, [3], [node('ATen', ['x'], ['y'])]);
    refused(() => importModel(unknown), /"the ATen of y" \(ATen of opset 9\)/);
  });

  test('opsets before 7', () => refused(() => importModel(small(6, [3], [])), /opset 6; export it again/));

  test('weights in another file', () => {
    const external = { name: 'w', dims: [4], dataType: 1, dataLocation: 1 };
    refused(() => importModel(small(13, [4], [node('Add', ['x', 'w'], ['y'])], [external])), /"w" lie in another file/);
  });

  test('weights that do not fill their shape', () => {
    const broken = { ...numbers('w', [4], Float32Array.of(1, 2, 3)) };
    refused(() => importModel(small(13, [4], [node('Add', ['x', 'w'], ['y'])], [broken])), /12 bytes, not 16/);
  });

  test('functions of its own', () => {
    const graph = { node: [node('F', ['x'], ['y'])], input: [valueInfo('x', [3])], output: [valueInfo('y')] };
    const functions = [{ name: 'F', domain: 'own', node: [] }];
    refused(
      () => importModel(writeModel({ irVersion: 8, opsetImport: [{ version: 18 }], graph, functions })),
      /inline/,
    );
  });

  test('tensors it does not have', () =>
    refused(() => applyModel(importModel(plain), { x }, ['z']), /no tensor "z"; its outputs are "y"/));

  test('missing inputs', () => refused(() => applyModel(importModel(plain), {}, ['y']), /needs the inputs "x"/));

  test('inputs of another rank or type', () => {
    const image = input('x', 'float32', [1, 3, 8, 8]);
    refused(() => applyModel(importModel(plain), { x: image }, ['y']), /"x" has 2 axes, but 4 are given/);
    const whole = input('x', 'int64', ['N', 4]);
    refused(() => applyModel(importModel(plain), { x: whole }, ['y']), /"x" is float32, but int64 is given/);
  });

  test('shapes that do not fit, naming the node', () => {
    const w = numbers('w', [3, 2], new Float32Array(6));
    const wrong = importModel(small(13, ['N', 'C'], [node('MatMul', ['x', 'w'], ['y'])], [w]));
    refused(
      () => applyModel(wrong, { x }, ['y']),
      /node "the MatMul of y": MatMul: \[N,4\] x \[3,2\] \(inner sizes differ\)/,
    );
  });
});
