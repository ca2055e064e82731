/** Weights in files beside a model: put back, they give the model that was taken apart. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PermanentError } from '#core/errors';
import { externalFiles, withExternalData } from '#core/graph/external-data';
import { importModel } from '#core/graph/import';
import { readModel, type TensorProto, writeModel } from '#core/graph/onnx';
import { takenApart } from '../../external-weights.ts';
import { vit } from '../../networks.ts';

const whole = vit();
const readFrom =
  (files: ReadonlyMap<string, Uint8Array>) =>
  (location: string): Uint8Array =>
    files.get(location) ?? expect.fail(`nothing lies at ${location}`);

/** A model whose first weights claim to lie somewhere. */
function claiming(entries: Readonly<Record<string, string>>): Uint8Array {
  const model = readModel(whole);
  const externalData = Object.entries(entries).map(([key, value]) => ({ key, value }));
  const [first, ...rest] = model.graph!.initializer!;
  const { rawData: _, ...bare } = first!;
  const initializer: TensorProto[] = [{ ...bare, dataLocation: 1, externalData }, ...rest];
  return writeModel({ ...model, graph: { ...model.graph!, initializer } });
}

describe('weights beside a model', () => {
  test('in one file', () => {
    const { model, files } = takenApart(whole, () => 'vit.onnx.data');
    expect(externalFiles(model)).toEqual(['vit.onnx.data']);
    expect(model.length).toBeLessThan(whole.length / 2);
    expect(withExternalData(model, readFrom(files))).toEqual(whole);
  });

  test('in several, in folders below', () => {
    const { model, files } = takenApart(whole, i => `weights/part-${i % 3}`);
    expect(externalFiles(model)).toEqual(['weights/part-0', 'weights/part-1', 'weights/part-2']);
    expect(withExternalData(model, readFrom(files))).toEqual(whole);
  });

  test('each file is read once', () => {
    const { model, files } = takenApart(whole, () => 'data');
    const asked: string[] = [];
    withExternalData(model, location => {
      asked.push(location);
      return readFrom(files)(location);
    });
    expect(asked).toEqual(['data']);
  });

  test('a model without any stays as it is', () => {
    expect(withExternalData(whole, () => expect.fail('nothing to read'))).toBe(whole);
  });

  test('those in the attributes of nodes too', () => {
    const t = {
      name: 'c',
      dims: [2],
      dataType: 1,
      dataLocation: 1,
      externalData: [{ key: 'location', value: 'c.bin' }],
    };
    const node = { opType: 'Constant', output: ['y'], attribute: [{ name: 'value', type: 5, t }] };
    const bytes = writeModel({ irVersion: 8, opsetImport: [{ version: 17 }], graph: { name: 'g', node: [node] } });
    const data = new Uint8Array(Float32Array.of(1, 2).buffer);
    const read = readModel(withExternalData(bytes, () => data)).graph!.node![0]!.attribute![0]!.t!;
    expect(read.rawData).toEqual(data);
    expect(read.dataLocation).toBeUndefined();
  });
});

describe('what is refused', () => {
  const refused = (build: () => unknown, message: RegExp) => {
    expect(build).toThrow(PermanentError);
    expect(build).toThrow(message);
  };

  test.each(['../w.bin', 'a/../../w.bin', '/etc/passwd', 'C:\\w.bin', '..\\w.bin', '\\\\host\\w.bin', ''])(
    'a path out of the folder: %s',
    location => {
      const bytes = claiming({ location });
      refused(() => externalFiles(bytes), /outside the model's folder; save the model again with its data beside it/);
      refused(() => withExternalData(bytes, () => expect.fail('read')), /outside the model's folder/);
    },
  );

  test('no path that is let through leads upwards', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('..', '.', 'a', '', '\\', 'b c'), { maxLength: 6 }), parts => {
        let files: string[];
        try {
          files = externalFiles(claiming({ location: parts.join('/') }));
        } catch (error) {
          return error instanceof PermanentError;
        }
        return files.every(file => !file.startsWith('/') && !file.split(/[\\/]/).includes('..'));
      }),
    );
  });

  test('a file that ends too early', () => {
    const { model, files } = takenApart(whole, () => 'data');
    const cut = new Map([...files].map(([name, bytes]) => [name, bytes.subarray(0, bytes.length - 1)]));
    refused(() => withExternalData(model, readFrom(cut)), /data ends after \d+ bytes, but the weights "w\d+" reach to/);
  });

  test('places that are no numbers', () => {
    refused(
      () => externalFiles(claiming({ location: 'w', offset: '-1' })),
      /have the offset "-1"; the file is damaged/,
    );
    refused(() => externalFiles(claiming({ location: 'w', length: '1e9' })), /have the length "1e9"/);
  });

  test('a model read without its data', () => {
    refused(() => importModel(takenApart(whole, () => 'data').model), /lie in another file/);
  });
});
