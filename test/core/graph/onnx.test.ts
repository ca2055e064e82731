/** The ONNX codec against onnx-buf (an independent protobuf implementation) and against damaged files. */
import { existsSync, readFileSync } from 'node:fs';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { ModelProtoSchema } from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { PermanentError } from '#core/errors';
import { type ModelProto, readModel, writeModel } from '#core/graph/onnx';

const models = `${process.env.SELFLABEL_DATA ?? '../shared/data'}/models`;
const realModels = ['squeezenet1.1.onnx', 'mobilenetv2-1.0-features.onnx', 'squeezenet1.1-fp16.onnx'];

const weights = Float32Array.from({ length: 40 }, (_, i) => i / 7);
const everyKind: ModelProto = {
  irVersion: 10,
  producerName: 'selflabel ≥ 1',
  modelVersion: -3n,
  opsetImport: [{ version: 21 }, { domain: 'com.microsoft', version: 1 }],
  metadataProps: [{ key: 'a', value: '' }],
  graph: {
    name: 'g',
    node: [
      {
        opType: 'Pad',
        input: ['x', '', 'w'],
        output: ['y'],
        attribute: [
          { name: 'i', type: 2, i: 9223372036854775807n },
          { name: 'ints', type: 7, ints: [-1n, 0n, 300n, -9223372036854775808n] },
          { name: 'f', type: 1, f: Math.fround(0.1) },
          { name: 'floats', type: 6, floats: [1.5, -0.25] },
          { name: 's', type: 3, s: Uint8Array.of(0, 255, 128) },
          { name: 'strings', type: 8, strings: [new Uint8Array(0), Uint8Array.of(65)] },
          { name: 'g', type: 5, g: { name: 'inner', node: [{ opType: 'Relu', input: ['x'], output: ['z'] }] } },
          { name: 't', type: 4, t: { dims: [2], dataType: 1, floatData: [1, 2] } },
        ],
      },
    ],
    initializer: [
      { name: 'w', dims: [5, 8], dataType: 1, rawData: new Uint8Array(weights.buffer) },
      { name: 'packed', dims: [3], dataType: 7, int64Data: [1n, -1n, 1234567890123n] },
      { name: 'doubles', dims: [1], dataType: 11, doubleData: [Math.PI] },
      { name: 'ints', dims: [2], dataType: 6, int32Data: [-7, 7] },
      { name: 'unsigned', dims: [1], dataType: 13, uint64Data: [18446744073709551615n] },
    ],
    input: [
      {
        name: 'x',
        type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: 'N' }, { dimValue: 3 }, {}] } } },
      },
    ],
  },
  functions: [{ name: 'F', domain: 'own', node: [{ opType: 'Relu', input: ['a'], output: ['b'] }], input: ['a'] }],
};

describe('the ONNX codec', () => {
  test('reads back what it wrote', () => {
    expect(readModel(writeModel(everyKind))).toEqual(everyKind);
  });

  test('writes what onnx-buf reads, field by field', () => {
    const theirs = fromBinary(ModelProtoSchema, writeModel(everyKind));
    expect(theirs.irVersion).toBe(10n);
    expect(theirs.modelVersion).toBe(-3n);
    expect(theirs.producerName).toBe('selflabel ≥ 1');
    expect(theirs.opsetImport.map(o => [o.domain, o.version])).toEqual([
      ['', 21n],
      ['com.microsoft', 1n],
    ]);
    const attributes = Object.fromEntries(theirs.graph!.node[0]!.attribute.map(a => [a.name, a]));
    expect(attributes.i!.i).toBe(9223372036854775807n);
    expect(attributes.ints!.ints).toEqual([-1n, 0n, 300n, -9223372036854775808n]);
    expect(attributes.f!.f).toBe(Math.fround(0.1));
    expect(attributes.floats!.floats).toEqual([1.5, -0.25]);
    expect(attributes.g!.g!.node[0]!.opType).toBe('Relu');
    const [w, packed, doubles, ints, unsigned] = theirs.graph!.initializer;
    expect(new Float32Array(w!.rawData.slice().buffer)).toEqual(weights);
    expect(packed!.int64Data).toEqual([1n, -1n, 1234567890123n]);
    expect(doubles!.doubleData).toEqual([Math.PI]);
    expect(ints!.int32Data).toEqual([-7, 7]);
    expect(unsigned!.uint64Data).toEqual([18446744073709551615n]);
    expect(theirs.graph!.input[0]!.type!.value.case).toBe('tensorType');
    expect(theirs.functions[0]!.node[0]!.output).toEqual(['b']);
  });

  test('reads the packed form that onnx-buf writes for repeated numbers', () => {
    const theirs = toBinary(ModelProtoSchema, fromBinary(ModelProtoSchema, writeModel(everyKind)));
    const attribute = (model: ModelProto, name: string) =>
      model.graph?.node?.[0]?.attribute?.find(attribute => attribute.name === name);
    expect(attribute(readModel(theirs), 'ints')).toEqual(attribute(everyKind, 'ints'));
    expect(attribute(readModel(theirs), 'floats')).toEqual(attribute(everyKind, 'floats'));
  });

  test('leaves weights where they are', () => {
    const bytes = writeModel(everyKind);
    expect(readModel(bytes).graph!.initializer![0]!.rawData!.buffer).toBe(bytes.buffer);
  });

  test('reads a Buffer as any other bytes', () => {
    expect(readModel(Buffer.from(writeModel(everyKind)))).toStrictEqual(everyKind);
  });

  test('carries fields it does not know', () => {
    const field = Uint8Array.of(0xa2, 0x01, 2, 8, 7); // field 20 (training_info), two bytes
    const varint = Uint8Array.of(0xf8, 0x07, 0x96, 0x01); // field 127, a number
    const bytes = new Uint8Array([...writeModel(everyKind), ...field, ...varint]);
    expect(writeModel(readModel(bytes))).toEqual(bytes);
  });

  test('refuses truncated models wherever they are cut', () => {
    const bytes = writeModel(everyKind);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: bytes.length - 1 }), length => {
        let model: ModelProto;
        try {
          model = readModel(bytes.subarray(0, length));
        } catch (error) {
          expect(error).toBeInstanceOf(PermanentError);
          expect((error as Error).message).toMatch(/^not a readable ONNX model: /);
          return;
        }
        expect(model.graph).toEqual(everyKind.graph); // cut between two top-level fields, after the graph
      }),
    );
  });

  test.each([
    ['nothing', new Uint8Array(0), /empty/],
    ['a PNG', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13), /not a readable ONNX model/],
    ['a JPEG', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46), /not a readable ONNX model/],
    ['text', new TextEncoder().encode('{"this": "is JSON, not a model"}'), /not a readable ONNX model/],
    ['zeros', new Uint8Array(64), /not a readable ONNX model/],
  ])('refuses %s', (_name, bytes, message) => {
    expect(() => readModel(bytes)).toThrow(PermanentError);
    expect(() => readModel(bytes)).toThrow(message);
  });
});

describe.skipIf(!existsSync(models))('real models (needs the test data)', () => {
  test.each(realModels)('%s survives reading and writing', file => {
    const bytes = new Uint8Array(readFileSync(`${models}/${file}`));
    const written = writeModel(readModel(bytes));
    const canonical = (model: Uint8Array) => toBinary(ModelProtoSchema, fromBinary(ModelProtoSchema, model));
    expect(Buffer.compare(canonical(written), canonical(bytes))).toBe(0);
    expect(Buffer.compare(writeModel(readModel(written)), written)).toBe(0);
    expect(written.length).toBe(bytes.length);
  });
});
