/** Written models: names, sharing, determinism; printing; tensors and layers. */
import ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { l2Normalize, resizeLike } from '#core/graph/layers';
import { toModel } from '#core/graph/model';
import { readModel } from '#core/graph/onnx';
import {
  add,
  averagePool,
  conv,
  gather,
  identity,
  matmul,
  mul,
  relu,
  reshape,
  split,
  sub,
  topK,
} from '#core/graph/ops';
import { print } from '#core/graph/print';
import {
  constant,
  constantData,
  type GraphNode,
  input,
  integers,
  nodesBelow,
  scope,
  type Tensor,
} from '#core/graph/tensor';
import { evaluate } from './evaluator.ts';
import { run, runModel } from './runtime.ts';

const x = input('x', 'float32', ['N', 4]);

/** Two layers of the same kind, built afresh at every call. */
function program(): { x: Tensor; y: Tensor; top: Tensor } {
  const x = input('x', 'float32', ['N', 4]);
  const layer = (from: Tensor) =>
    relu(add(matmul(from, constant(new Float32Array(16).fill(0.5), [4, 4])), constant(Float32Array.of(1, 2, 3, 4))));
  const y = scope('second', () => scope('half', () => layer(scope('first', () => layer(x)))));
  return { x, y, top: topK(y, 2)[1] };
}

const graphOf = (inputs: Tensor[], outputs: Record<string, Tensor>) =>
  readModel(toModel({ name: 'm', inputs, outputs })).graph!;

describe('names', () => {
  test('come from scope, operator and position', () => {
    const { x, y, top } = program();
    const { node } = graphOf([x], { y, top });
    expect(node!.map(({ name, output }) => [name, ...output!])).toEqual([
      ['second/half/first/MatMul_0', 'second/half/first/MatMul_0'],
      ['second/half/first/Add_0', 'second/half/first/Add_0'],
      ['second/half/first/Relu_0', 'second/half/first/Relu_0'],
      ['second/half/MatMul_0', 'second/half/MatMul_0'],
      ['second/half/Add_0', 'second/half/Add_0'],
      ['second/half/Relu_0', 'y'],
      ['TopK_0', 'TopK_0', 'top'],
    ]);
  });

  test('step aside for names of inputs and outputs', () => {
    const odd = input('Relu_0', 'float32', ['N']);
    const y = relu(relu(odd));
    expect(graphOf([odd], { y }).node!.map(({ output }) => output![0])).toEqual(['Relu_1', 'y']);
  });

  test('scopes end when what they hold fails', () => {
    expect(() => scope('lost', () => matmul(x, constant(new Float32Array(3), [3])))).toThrow();
    expect(relu(x).node.scope).toBe('');
  });
});

describe('bytes', () => {
  test('are the same for the same program', () => {
    const write = () => {
      const { x, y, top } = program();
      return toModel({ name: 'm', inputs: [x], outputs: { y, top }, metadata: { made: 'here', by: 'nobody' } });
    };
    expect(Buffer.compare(write(), write())).toBe(0);
  });

  test('hold constants that are equal once', () => {
    const filled = (value: number) => constant(new Float32Array(100).fill(value, 99), [4, 25]);
    const [a, b, other] = [filled(1), filled(1), filled(2)].map(large => matmul(add(x, constant(1)), large));
    expect(
      graphOf([x], { y: add(add(a!, b!), other!) }).initializer!.map(({ name, dims = [] }) => [name, dims]),
    ).toEqual([
      ['constant_0', []],
      ['constant_1', [4, 25]],
      ['constant_2', [4, 25]],
    ]);
  });

  test('tell apart constants of equal bytes and other type or shape', () => {
    const zeros = [constant(new Float32Array(2)), constant(new Float32Array(2), [2, 1]), constant(new Int32Array(2))];
    const outputs = Object.fromEntries(zeros.map((tensor, i) => [`z${i}`, identity(tensor)]));
    expect(graphOf([], outputs).initializer).toHaveLength(3);
  });

  test('hold only what the outputs need, but every input', () => {
    const unused = input('unused', 'int64', []);
    relu(x);
    const graph = graphOf([x, unused], { y: mul(x, x) });
    expect(graph.node!.map(({ opType }) => opType)).toEqual(['Mul']);
    expect(graph.input!.map(({ name }) => name)).toEqual(['x', 'unused']);
  });

  test('say opset 21, IR 10, and metadata in order', () => {
    const model = readModel(toModel({ name: 'm', inputs: [x], outputs: { y: relu(x) }, metadata: { b: '1', a: '2' } }));
    expect([model.irVersion, model.opsetImport]).toEqual([10, [{ version: 21 }]]);
    expect(model.metadataProps!.map(({ key, value }) => `${key}=${value}`)).toEqual(['b=1', 'a=2']);
  });
});

test('an output may be an input, a constant, or another output', async () => {
  const r = relu(x);
  const outputs = { r, again: r, x2: x, c: constant(7) };
  const bytes = toModel({ name: 'm', inputs: [x], outputs });
  const results = await runModel(bytes, { x: new ort.Tensor('float32', Float32Array.of(-1, 2, 3, 4), [1, 4]) });
  expect(Object.values(results).map(({ data }) => [...(data as Float32Array)])).toEqual([
    [0, 2, 3, 4],
    [0, 2, 3, 4],
    [-1, 2, 3, 4],
    [7],
  ]);
});

describe('what cannot be written', () => {
  test('inputs that are not declared', () => {
    expect(() => graphOf([], { y: relu(x) })).toThrow('toModel: m reads the input x, which is not among its inputs');
  });

  test('two things of one name', () => {
    expect(() => graphOf([x, input('x', 'float32', [])], { y: x })).toThrow('two inputs or outputs named x');
    expect(() => graphOf([x], { x: relu(x) })).toThrow('two inputs or outputs named x');
  });

  test('computed tensors as inputs', () => {
    expect(() => graphOf([x, relu(x)], { y: x })).toThrow('an input of m is a node');
  });
});

test('nodes come after what they read, however deep the graph', () => {
  let y: Tensor = x;
  for (let i = 0; i < 50_000; i++) y = add(y, i % 2 ? x : y);
  const nodes = nodesBelow([y]);
  expect(nodes).toHaveLength(50_000);
  const seen = new Set<GraphNode>();
  for (const node of nodes) {
    expect(node.inputs.every(tensor => tensor.kind !== 'node' || seen.has(tensor.node))).toBe(true);
    seen.add(node);
  }
});

test('a graph prints itself', () => {
  const image = input('image', 'float32', ['N', 3, 'H', 'W']);
  const w = constant(new Float32Array(8 * 27), [8, 3, 3, 3]);
  const features = scope('stem', () => relu(conv(image, w, undefined, { strides: [2, 2], pads: [1, 1, 1, 1] })));
  const rows = reshape(features, [0, 8, -1]);
  const [a, b] = split(gather(rows, integers([0, 2], [2]), { axis: 1 }), { axis: 1, split: [1, 1] });
  expect(print({ difference: sub(a!, mul(b!, constant(0.1))), features })).toMatchInlineSnapshot(`
    "image [N,3,H,W]
    %0 [N,8,floor((H+1)/2),floor((W+1)/2)] = Conv(image, constant [8,3,3,3], strides=[2,2], pads=[1,1,1,1], dilations=[1,1], group=1)  # stem
    %1 [N,8,floor((H+1)/2),floor((W+1)/2)] = Relu(%0)  # stem
    %2 [N,8,floor((H+1)/2)*floor((W+1)/2)] = Reshape(%1, [0,8,-1])
    %3 [N,2,floor((H+1)/2)*floor((W+1)/2)] = Gather(%2, [0,2], axis=1)
    %4 [N,1,floor((H+1)/2)*floor((W+1)/2)], %5 [N,1,floor((H+1)/2)*floor((W+1)/2)] = Split(%3, axis=1, split=[1,1])
    %6 [N,1,floor((H+1)/2)*floor((W+1)/2)] = Mul(%5, 0.1)
    %7 [N,1,floor((H+1)/2)*floor((W+1)/2)] = Sub(%4, %6)
    return difference = %7, features = %1"
  `);
});

test('sizes that only the run can tell stay apart, are printed in order and not written', () => {
  const sizes = input('sizes', 'int64', [2]);
  const program = () => ({ y: relu(reshape(x, sizes)), z: reshape(x, sizes) });
  program();
  expect(print(program())).toBe(
    [
      'x [N,4]',
      'sizes int64 [2]',
      '%0 [?0,?1] = Reshape(x, sizes)',
      '%1 [?0,?1] = Relu(%0)',
      '%2 [?2,?3] = Reshape(x, sizes)',
      'return y = %1, z = %2',
    ].join('\n'),
  );
  const write = () => toModel({ name: 'm', inputs: [x, sizes], outputs: program() });
  expect(Buffer.compare(write(), write())).toBe(0);
  expect(readModel(write()).graph!.output![0]!.type!.tensorType!.shape!.dim).toEqual([{}, {}]);
});

describe('constants', () => {
  test('keep their numbers', () => {
    expect(constantData(constant(2.5))).toEqual(Float32Array.of(2.5));
    expect(constantData(integers([-1, 2 ** 40]))).toEqual(BigInt64Array.of(-1n, 2n ** 40n));
    expect(constant(Float32Array.of(1, 2)).dims).toEqual([2]);
  });

  test('are read from anywhere in memory', () => {
    const whole = new Uint8Array(15);
    whole.set(new Uint8Array(Float32Array.of(1, 2, 3).buffer), 3);
    const shifted = { kind: 'constant', type: 'float32', dims: [3], bytes: whole.subarray(3) } as const;
    expect(constantData(shifted)).toEqual(Float32Array.of(1, 2, 3));
  });
});

describe('layers', () => {
  const image = input('image', 'float32', ['N', 3, 'H', 'W']);
  const value = (dims: number[]) => ({
    dims,
    data: Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => Math.sin(i)),
  });

  test('l2Normalize makes unit vectors, and leaves zeros', async () => {
    const v = input('v', 'float32', ['N', 2]);
    const [result] = await run([l2Normalize(v, 1)], { v: { dims: [2, 2], data: [3, -4, 0, 0] } });
    expect(result!.data.map(number => Number(number.toFixed(6)))).toEqual([0.6, -0.8, 0, 0]);
  });

  test.each(['linear', 'nearest'] as const)(
    'resizeLike (%s) brings a coarse map to the size of another',
    async mode => {
      const coarse = averagePool(image, { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 });
      const resized = resizeLike(coarse, image, mode);
      expect(resized.dims).toEqual(['N', 3, 'H', 'W']);
      const feeds = { image: value([2, 3, 5, 6]) };
      const [actual] = await run([resized], feeds);
      const [expected] = evaluate([resized], feeds);
      expect(actual!.dims).toEqual([2, 3, 5, 6]);
      for (const [i, number] of expected!.data.entries()) expect(actual!.data[i]).toBeCloseTo(number, 5);
    },
  );

  test.each(['linear', 'nearest'] as const)('resizeLike (%s) changes nothing where sizes agree', async mode => {
    const feeds = { image: value([1, 3, 7, 5]) };
    const [actual] = await run([resizeLike(image, relu(image), mode)], feeds);
    expect(actual!.data).toEqual(feeds.image.data.map(Math.fround));
  });
});
