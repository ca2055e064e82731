/** Foreign models: read, upgraded, spliced into our graphs, and run. */
import { existsSync, readFileSync } from 'node:fs';
import ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { PermanentError } from '#core/errors';
import { denseTensors } from '#core/graph/dense-tensors';
import { applyModel, importModel } from '#core/graph/import';
import { toModel } from '#core/graph/model';
import { type AttributeProto, type GraphProto, type NodeProto, readModel, writeModel } from '#core/graph/onnx';
import { add, mul, relu } from '#core/graph/ops';
import { print } from '#core/graph/print';
import { constant, type Dim, input } from '#core/graph/tensor';
import { Random } from '#core/random';
import { runModel } from './runtime.ts';

const models = `${process.env.SELFLABEL_DATA ?? '../shared/data'}/models`;

const int = (name: string, value: number): AttributeProto => ({ name, type: 2, i: BigInt(value) });
const ints = (name: string, ...values: number[]): AttributeProto => ({ name, type: 7, ints: values.map(BigInt) });
const float = (name: string, f: number): AttributeProto => ({ name, type: 1, f });
const floats = (name: string, ...values: number[]): AttributeProto => ({ name, type: 6, floats: values });
const text = (name: string, s: string): AttributeProto => ({ name, type: 3, s: new TextEncoder().encode(s) });
const numbers = (name: string, dims: number[], data: Float32Array | BigInt64Array) => ({
  name,
  dims,
  dataType: data instanceof Float32Array ? 1 : 7,
  rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
});
const valueInfo = (name: string, dims?: readonly Dim[], elemType = 1) => ({
  name,
  type: {
    tensorType: {
      elemType,
      ...(dims && { shape: { dim: dims.map(d => (typeof d === 'number' ? { dimValue: d } : { dimParam: d })) } }),
    },
  },
});
const node = (opType: string, input: string[], output: string[], ...attribute: AttributeProto[]): NodeProto => ({
  opType,
  name: `the ${opType} of ${output[0]}`,
  input,
  output,
  attribute,
});

function modelOf(opset: number, graph: GraphProto, irVersion = 8): Uint8Array<ArrayBuffer> {
  return writeModel({ irVersion, opsetImport: [{ version: opset }], graph: { name: 'test', ...graph } });
}

/** A model from x to y made of the given nodes; y's shape is left to the runtime. */
const small = (opset: number, dims: readonly Dim[], nodes: NodeProto[], initializer: GraphProto['initializer'] = []) =>
  modelOf(opset, { node: nodes, initializer, input: [valueInfo('x', dims)], output: [valueInfo('y')] });

function noise(dims: readonly number[]): ort.Tensor {
  const random = new Random(7);
  const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random.normal());
  return new ort.Tensor('float32', data, dims);
}

/** Runs the original and its splice (input and output names kept) on the same noise. */
async function both(bytes: Uint8Array, dims: readonly number[], wanted = ['y']) {
  const model = importModel(bytes);
  const x = input(
    'x',
    'float32',
    dims.map((_, i) => `d${i}`),
  );
  const spliced = applyModel(model, { [model.inputs[0]!.name]: x }, wanted, 'net');
  const outputs = Object.fromEntries(spliced.map((tensor, i) => [wanted[i]!, tensor]));
  const feed = noise(dims);
  const composed = await runModel(toModel({ name: 'composed', inputs: [x], outputs }), { x: feed });
  const original = await runModel(bytes, { [model.inputs[0]!.name]: feed });
  return { composed, original, spliced };
}

/** Each line: an old form, and the program of opset 21 it must come to. */
const oldForms: readonly [name: string, opset: number, dims: readonly number[], nodes: NodeProto[]][] = [
  ['Softmax over flattened axes', 11, [2, 3, 4], [node('Softmax', ['x'], ['y'], int('axis', 1))]],
  ['Softmax with its old default axis', 9, [2, 3, 4], [node('Softmax', ['x'], ['y'])]],
  ['LogSoftmax over flattened axes', 12, [2, 3, 4], [node('LogSoftmax', ['x'], ['y'], int('axis', 1))]],
  ['Hardmax over flattened axes', 11, [2, 3, 4], [node('Hardmax', ['x'], ['y'], int('axis', 1))]],
  [
    'Squeeze and Unsqueeze with attributes',
    11,
    [1, 3, 1],
    [node('Squeeze', ['x'], ['s'], ints('axes', 0, 2)), node('Unsqueeze', ['s'], ['y'], ints('axes', 0, 2))],
  ],
  ['Squeeze of whatever is 1', 9, [1, 3, 1], [node('Squeeze', ['x'], ['y'])]],
  [
    'ReduceMean with attributes',
    13,
    [2, 3, 4],
    [node('ReduceMean', ['x'], ['y'], ints('axes', 1), int('keepdims', 0))],
  ],
  ['ReduceSum with attributes', 11, [2, 3, 4], [node('ReduceSum', ['x'], ['y'], ints('axes', 0, 2))]],
  ['ReduceMax of everything', 12, [2, 3], [node('ReduceMax', ['x'], ['y'])]],
  ['ReduceL1, not an operator of ours', 13, [2, 3], [node('ReduceL1', ['x'], ['y'], ints('axes', 1))]],
  ['Clip with attributes', 7, [4, 5], [node('Clip', ['x'], ['y'], float('min', -0.5), float('max', 0.5))]],
  ['Clip with one bound', 10, [4, 5], [node('Clip', ['x'], ['y'], float('min', 0))]],
  ['Pad with attributes', 10, [2, 3], [node('Pad', ['x'], ['y'], ints('pads', 1, 0, 0, 2), float('value', 2.5))]],
  ['Pad by reflection', 9, [3, 4], [node('Pad', ['x'], ['y'], ints('pads', 1, 1, 0, 2), text('mode', 'reflect'))]],
  [
    'Slice with attributes',
    9,
    [5, 6],
    [node('Slice', ['x'], ['y'], ints('starts', 1, -3), ints('ends', 4, 1000), ints('axes', 0, 1))],
  ],
  [
    'Split into given sizes',
    11,
    [2, 5],
    [
      node('Split', ['x'], ['a', 'b'], int('axis', 1), ints('split', 2, 3)),
      node('Concat', ['b', 'a'], ['y'], int('axis', 1)),
    ],
  ],
  [
    'Split into equal parts',
    11,
    [2, 6],
    [node('Split', ['x'], ['a', 'b'], int('axis', 1)), node('Sub', ['b', 'a'], ['y'])],
  ],
  ['TopK with an attribute', 9, [3, 6], [node('TopK', ['x'], ['y', 'i'], int('k', 2), int('axis', 1))]],
  ['Dropout', 7, [3, 4], [node('Dropout', ['x'], ['y'], float('ratio', 0.4))]],
  [
    'Upsample with attributes, nearest',
    7,
    [1, 2, 3, 3],
    [node('Upsample', ['x'], ['y'], floats('scales', 1, 1, 2, 2), text('mode', 'nearest'))],
  ],
  [
    'Upsample, linear',
    8,
    [1, 1, 3, 4],
    [node('Upsample', ['x'], ['y'], floats('scales', 1, 1, 2, 3), text('mode', 'linear'))],
  ],
  [
    'MaxPool with automatic padding',
    11,
    [1, 2, 7, 7],
    [node('MaxPool', ['x'], ['y'], ints('kernel_shape', 3, 3), ints('strides', 2, 2), text('auto_pad', 'SAME_UPPER'))],
  ],
  ['Sum of several', 8, [3], [node('Sum', ['x', 'x', 'x'], ['y'])]],
  ['GridSample, renamed modes', 16, [1, 1, 2, 2], [node('GridSample', ['x', 'x'], ['y'], text('mode', 'bilinear'))]],
  [
    'LeakyRelu and LRN, kept as they stand',
    11,
    [1, 4, 3, 3],
    [node('LeakyRelu', ['x'], ['l'], float('alpha', 0.3)), node('LRN', ['l'], ['y'], int('size', 3))],
  ],
  ['Flatten', 9, [2, 3, 4], [node('Flatten', ['x'], ['y'], int('axis', 2))]],
];

describe('models of older opsets', () => {
  test.each(oldForms)('%s', async (_name, opset, dims, nodes) => {
    const { composed, original, spliced } = await both(small(opset, dims, nodes), dims);
    expect(composed.y!.dims).toEqual(original.y!.dims);
    expect(composed.y!.data).toEqual(original.y!.data);
    expect(spliced[0]!.dims.length === original.y!.dims.length || spliced[0]!.dims[0] === '?').toBe(true);
  });

  test('BatchNormalization drops what it had for training', async () => {
    const statistics = ['s', 'b', 'm', 'v'];
    const bytes = small(
      7,
      [2, 3, 2, 2],
      [node('BatchNormalization', ['x', ...statistics], ['y'], float('epsilon', 0.01), int('spatial', 1))],
      statistics.map((name, i) => numbers(name, [3], Float32Array.of(0.5 + i, 1 + i, 2 + i))),
    );
    const { composed, original } = await both(bytes, [2, 3, 2, 2]);
    expect(composed.y!.data).toEqual(original.y!.data);
  });

  test('Resize of opset 10', async () => {
    const scales = numbers('scales', [4], Float32Array.of(1, 1, 2, 1.5));
    const bytes = small(10, [1, 1, 3, 4], [node('Resize', ['x', 'scales'], ['y'], text('mode', 'linear'))], [scales]);
    const { composed, original } = await both(bytes, [1, 1, 3, 4]);
    expect(composed.y!.data).toEqual(original.y!.data);
  });

  test('opset 13 and newer stay as they are', () => {
    const bytes = small(22, ['N'], [node('Relu', ['x'], ['y'])]);
    const x = input('x', 'float32', ['N']);
    const [y] = applyModel(importModel(bytes), { x }, ['y']);
    expect(print([y!])).toBe('x [N]\n%0 [N] = Relu(x)\nreturn %0');
  });

  test('a newer opset is kept where nodes of its own need it', () => {
    const bytes = small(23, ['N'], [node('Softsign', ['x'], ['y'])]);
    const x = input('x', 'float32', ['N']);
    const [y] = applyModel(importModel(bytes), { x }, ['y']);
    expect(readModel(toModel({ name: 'm', inputs: [x], outputs: { y: y! } })).opsetImport).toEqual([{ version: 23 }]);
  });
});

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

describe('dense tensors', () => {
  const conv = (from: string, to: string, weights: string, stride: number, kernel = 3) =>
    node(
      'Conv',
      [from, weights],
      [to],
      ints('strides', stride, stride),
      ints('pads', ...Array(4).fill((kernel - 1) / 2)),
    );
  const w = (name: string, m: number, c: number, k = 3) => numbers(name, [m, c, k, k], new Float32Array(m * c * k * k));
  const network = (outputs: string[]) =>
    modelOf(13, {
      node: [
        conv('image', 'stem', 'w1', 4),
        conv('stem', 'a', 'w2', 1),
        node('Add', ['a', 'stem'], ['stage1']),
        conv('stage1', 'narrow', 'w3', 1, 1),
        conv('narrow', 'b', 'w4', 2),
        conv('stage1', 'short', 'w5', 2, 1),
        node('Add', ['b', 'short'], ['stage2']),
        node('GlobalAveragePool', ['stage2'], ['pooled']),
        node('Flatten', ['pooled'], ['flat']),
      ],
      initializer: [w('w1', 8, 3), w('w2', 8, 8), w('w3', 4, 8, 1), w('w4', 16, 4), w('w5', 16, 8, 1)],
      input: [valueInfo('image', [1, 3, 224, 224])],
      output: outputs.map(name => valueInfo(name)),
    });

  test('are found with channels and stride, in order of depth, with the ends of stages marked', () => {
    const found = denseTensors(importModel(network(['flat', 'stage1']))).tensors;
    expect(found.map(({ name, channels, stride }) => [name, channels, stride])).toEqual([
      ['stem', 8, 4],
      ['a', 8, 4],
      ['stage1', 8, 4],
      ['narrow', 4, 4],
      ['b', 16, 8],
      ['short', 16, 8],
      ['stage2', 16, 8],
    ]);
    expect(found.filter(({ declared }) => declared).map(({ name }) => name)).toEqual(['stage1']);
    expect(found.filter(({ bottleneck }) => bottleneck).map(({ name }) => name)).toEqual(['stem', 'stage1', 'stage2']);
  });

  test('are none without an image', () => {
    expect(denseTensors(importModel(small(13, ['N', 4], [node('Relu', ['x'], ['y'])]))).tensors).toEqual([]);
  });
});

/** A .npy file of float32 numbers, C order. */
function npy(path: string): ort.Tensor {
  const file = readFileSync(path);
  const headerEnd = 10 + file.readUInt16LE(8);
  const header = file.toString('latin1', 10, headerEnd);
  const dims = [.../\(([^)]*)\)/.exec(header)![1]!.matchAll(/\d+/g)].map(Number);
  return new ort.Tensor(
    'float32',
    new Float32Array(file.buffer.slice(file.byteOffset + headerEnd)).slice(
      0,
      dims.reduce((a, b) => a * b),
    ),
    dims,
  );
}

const worstDifference = (a: ort.Tensor, b: ort.Tensor) =>
  (a.data as Float32Array).reduce((worst, v, i) => Math.max(worst, Math.abs(v - Number(b.data[i]))), 0);

/** The file itself with casts around it, by hand: Node 24 cannot feed float16. Outputs: y and an inner tensor. */
function withFloat32Outside(bytes: Uint8Array, image: string, inner: string): Uint8Array {
  const model = readModel(bytes);
  const { node: nodes = [], input: inputs = [], output: outputs = [], ...rest } = model.graph!;
  const to = (elemType: number) => int('to', elemType);
  const scores = outputs[0]!.name!;
  const node = [
    { opType: 'Cast', input: ['x'], output: [image], attribute: [to(10)] },
    ...nodes,
    { opType: 'Cast', input: [scores], output: ['y'], attribute: [to(1)] },
    { opType: 'Cast', input: [inner], output: ['inner'], attribute: [to(1)] },
  ];
  const input = [valueInfo('x', [1, 3, 224, 224]), ...inputs.filter(({ name }) => name !== image)];
  return writeModel({ ...model, graph: { ...rest, node, input, output: [valueInfo('y'), valueInfo('inner')] } });
}

describe.skipIf(!existsSync(models))('real models (needs the test data)', () => {
  const read = (file: string) => new Uint8Array(readFileSync(`${models}/${file}`));
  const load = (file: string) => importModel(read(file));
  const image = input('image', 'float32', ['N', 3, 'H', 'W']);

  test('SqueezeNet gives the reference logits', async () => {
    const [logits] = applyModel(load('squeezenet1.1.onnx'), { input: image }, ['logits']);
    const bytes = toModel({ name: 'm', inputs: [image], outputs: { logits: logits! } });
    const results = await runModel(bytes, { image: npy(`${models}/reference/squeezenet1.1_input_0.npy`) });
    const expected = npy(`${models}/reference/squeezenet1.1_logits_0.npy`);
    const actual = results.logits!.data as Float32Array;
    const worst = Math.max(...actual.map((value, i) => Math.abs(value - Number(expected.data[i]))));
    expect(worst).toBeLessThan(5e-4);
  });

  test('MobileNetV2 spliced equals the original in every bit', async () => {
    const file = new Uint8Array(readFileSync(`${models}/mobilenetv2-1.0-features.onnx`));
    const [s16, s32] = applyModel(importModel(file), { input: image }, ['features_s16', 'features_s32'], 'backbone');
    const bytes = toModel({ name: 'm', inputs: [image], outputs: { s16: s16!, s32: s32! } });
    const feed = noise([2, 3, 96, 160]);
    const ours = await runModel(bytes, { image: feed });
    const original = await runModel(file, { input: feed });
    expect(
      Buffer.from((ours.s16!.data as Float32Array).buffer).equals(
        Buffer.from((original.features_s16!.data as Float32Array).buffer),
      ),
    ).toBe(true);
    expect(
      Buffer.from((ours.s32!.data as Float32Array).buffer).equals(
        Buffer.from((original.features_s32!.data as Float32Array).buffer),
      ),
    ).toBe(true);
  });

  test('float16 SqueezeNet of opset 7: an inner tensor, float32 outside', async () => {
    const [inner, scores] = applyModel(
      load('squeezenet1.1-fp16.onnx'),
      { data_0: image },
      ['fire9/concat_1', 'softmaxout_1'],
      'half',
    );
    expect([inner!.type, inner!.dims[1]]).toEqual(['float32', 512]);
    const bytes = toModel({ name: 'm', inputs: [image], outputs: { inner: inner!, scores: scores! } });
    const feed = noise([1, 3, 224, 224]);
    for (const [i, value] of (feed.data as Float32Array).entries()) (feed.data as Float32Array)[i] = value * 60;
    const ours = await runModel(bytes, { image: feed });
    const original = await runModel(withFloat32Outside(read('squeezenet1.1-fp16.onnx'), 'data_0', 'fire9/concat_1'), {
      x: feed,
    });
    expect(worstDifference(ours.inner!, original.inner!)).toBe(0);
    expect(worstDifference(ours.scores!, original.y!)).toBeLessThan(1e-4); // float16 after a softmax of other form
    expect((ours.scores!.data as Float32Array).reduce((a, b) => a + b)).toBeCloseTo(1, 1);
  });

  test('their dense tensors', () => {
    const deepest = (file: string, declared: boolean) =>
      denseTensors(load(file))
        .tensors.filter(tensor => tensor.declared === declared)
        .at(-1);
    expect(deepest('mobilenetv2-1.0-features.onnx', true)).toMatchObject({
      name: 'features_s32',
      channels: 1280,
      stride: 32,
    });
    expect(deepest('squeezenet1.1.onnx', true)).toMatchObject({ name: 'features', channels: 512, stride: 16 });
    const half = denseTensors(load('squeezenet1.1-fp16.onnx')).tensors;
    expect(half.find(({ name }) => name === 'fire9/concat_1')).toMatchObject({
      channels: 512,
      stride: 16,
      bottleneck: true,
    });
  });
});
