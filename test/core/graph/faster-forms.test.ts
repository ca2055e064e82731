/** Faster forms against the operators they stand for: the same numbers, and only where they are meant to stand. */
import { describe, expect, test } from 'vitest';
import { fasterForms } from '#core/graph/faster-forms';
import * as ops from '#core/graph/ops';
import { constant, type InputTensor, input, nodesBelow, scope, type Tensor } from '#core/graph/tensor';
import { Random } from '#core/random';
import { relativeError } from './central-differences.ts';
import { run } from './runtime.ts';

const x = (...dims: number[]) => input('x', 'float32', dims);
const w = (...dims: number[]) => input('w', 'float32', dims);
const bias = input('bias', 'float32', [6]);
const depthwise = { group: 6, pads: [1, 1, 1, 1] };

/** What is computed, from which inputs, and the operator that must be gone. */
const cases: [what: string, y: Tensor, inputs: readonly InputTensor[], gone: string | undefined][] = [];
function add(what: string, gone: string | undefined, inputs: InputTensor[], y: Tensor): void {
  cases.push([what, y, inputs, gone]);
}

{
  const [a, k] = [x(8, 6, 7, 5), w(6, 1, 3, 3)];
  add('depthwise', 'Conv', [a, k], ops.conv(a, k, undefined, depthwise));
  add('depthwise with bias', 'Conv', [a, k, bias], ops.conv(a, k, bias, depthwise));
  const strided = { group: 6, pads: [0, 1, 2, 1], strides: [2, 1], dilations: [1, 2] };
  add('depthwise with strides, dilations, uneven padding', 'Conv', [a, k], ops.conv(a, k, undefined, strided));
  const back = { ...depthwise, strides: [2, 2], output_padding: [1, 0] };
  add('depthwise, transposed', 'ConvTranspose', [a, k], ops.convTranspose(a, k, undefined, back));
  add('depthwise, transposed, with bias', 'ConvTranspose', [a, k, bias], ops.convTranspose(a, k, bias, depthwise));
  const fixed = constant(new Float32Array(54).fill(0.5), [6, 1, 3, 3]);
  add('depthwise with a stored kernel stays', undefined, [a], ops.conv(a, fixed, undefined, depthwise));
}
{
  const [a, k] = [x(2, 6, 7, 5), w(6, 1, 3, 3)];
  add('depthwise on few images stays', undefined, [a, k], ops.conv(a, k, undefined, depthwise));
}
{
  const [a, k, b] = [x(8, 64, 4, 3), w(64, 64, 3, 2), input('bias', 'float32', [64])];
  const wide = { pads: [1, 2, 0, 1], dilations: [1, 2] };
  add('on few places', 'Conv', [a, k], ops.conv(a, k, undefined, { pads: [1, 1, 1, 0] }));
  add('on few places with bias, dilations, uneven padding', 'Conv', [a, k, b], ops.conv(a, k, b, wide));
  add('on few places with strides stays', undefined, [a, k], ops.conv(a, k, undefined, { strides: [2, 2] }));
}
{
  const a = x(2, 5, 4, 3);
  add('log softmax over channels', 'LogSoftmax', [a], ops.logSoftmax(ops.mul(a, constant(40)), { axis: 1 }));
  add('log softmax over the last axis stays', undefined, [a], ops.logSoftmax(a, { axis: 3 }));
  for (const scales of [
    [1, 1, 3, 2],
    [1, 1, 0.5, 1],
  ])
    for (const mode of ['half_pixel', 'align_corners', 'asymmetric'] as const)
      add(
        `linear resize by ${scales}, ${mode}`,
        'Resize',
        [a],
        ops.resize(a, { scales }, { mode: 'linear', coordinate_transformation_mode: mode }),
      );
  add('nearest resize stays', undefined, [a], ops.resize(a, { scales: [1, 1, 2, 2] }, { mode: 'nearest' }));
}
{
  const a = x(6, 4, 1, 1);
  const rate = input('bias', 'float32', []);
  add('numbers beside 1×1 kernels', undefined, [a, rate], ops.sub(ops.mul(rate, a), ops.mul(constant(0.3), a)));
}

{
  const a = x(2, 3, 4, 5);
  add('padding of rows', undefined, [a], ops.pad(a, { pads: [0, 0, 2, 0, 0, 0, -1, 0], value: 3 }));
  add('padding of images and columns', undefined, [a], ops.pad(a, { pads: [1, 0, 0, 1, 0, 0, 0, 2] }));
  add('reflected rows stay', undefined, [a], ops.pad(a, { pads: [0, 0, 2, 0, 0, 0, 1, 0], mode: 'reflect' }));
}

test('axes without padding are one with the axis before them', () => {
  const a = x(2, 3, 4, 5);
  const padded = (pads: number[]) => nodesBelow(fasterForms([ops.pad(a, { pads })])).find(({ op }) => op === 'Pad')!;
  expect(padded([0, 0, 2, 0, 0, 0, -1, 0]).inputs[0]!.dims).toEqual([6, 20]);
  expect(padded([0, 0, 2, 0, 0, 0, -1, 0]).attributes).toMatchObject({ pads: [0, 10, 0, -5] });
  expect(padded([1, 0, 0, 1, 0, 0, 0, 2]).inputs[0]!.dims).toEqual([24, 5]);
});

test('sums and means per channel are taken image by image', async () => {
  const maps = x(3, 6, 5, 4);
  const reduced = [
    ops.reduceSum(maps, { axes: [0, 2, 3] }),
    ops.reduceMean(maps, { axes: [0, 2, 3], keepdims: 0 }),
    ops.reduceSum(maps, { axes: [0, 1] }),
  ];
  const faster = fasterForms(reduced);
  const axesOf = (y: Tensor) =>
    nodesBelow([y]).map(node => (node.op === 'ReduceSum' || node.op === 'ReduceMean' ? node.attributes.axes : []));
  expect(faster.map(axesOf)).toEqual([[[2, 3], [0]], [[2, 3], [0]], [[0, 1]]]);
  const random = new Random(5);
  const feeds = { x: { dims: [3, 6, 5, 4], data: Array.from({ length: 360 }, () => random.normal()) } };
  const results = await run([...reduced, ...faster], feeds);
  for (const [i, expected] of results.slice(0, 3).entries()) {
    expect(results[i + 3]!.dims).toEqual(expected.dims);
    expect(relativeError(results[i + 3]!.data, expected.data)).toBeLessThan(2e-6);
  }
});

test.each(cases)('%s', async (_what, y, inputs, gone) => {
  const random = new Random(5);
  const feeds = Object.fromEntries(
    inputs.map(({ name, dims }) => {
      const sizes = dims as readonly number[];
      const length = sizes.reduce((all, size) => all * size, 1);
      return [name, { dims: sizes, data: Array.from({ length }, () => random.normal()) }];
    }),
  );
  const [faster] = fasterForms([y]);
  const [expected, actual] = await run([y, faster!], feeds);
  expect(actual!.dims).toEqual(expected!.dims);
  expect(relativeError(actual!.data, expected!.data)).toBeLessThan(2e-6);
  const operators = (tensor: Tensor) => nodesBelow([tensor]).map(({ op }) => op);
  if (gone) expect(operators(faster!)).not.toContain(gone);
  else expect(operators(faster!).filter(op => op !== 'Reshape')).toEqual(operators(y));
});

describe('masks', () => {
  const a = x(2, 3);
  const masked = ops.where(ops.greater(a, constant(0)), a, constant(0));

  test.each<[string, number, string[], number[]]>([
    ['above zero', 0, ['HardSigmoid', 'Mul'], [1, 0, 3e38, 0, 2 ** -126, 6]],
    ['above another number', 1, ['Greater', 'Cast', 'Mul'], [0, 0, 3e38, 0, 0, 6]],
  ])('of gradients are factors, %s', async (_what, limit, order, expected) => {
    const gradient = scope('gradients', () => ops.where(ops.greater(a, constant(limit)), a, constant(0)));
    const [y] = fasterForms([gradient]);
    expect(nodesBelow([y!]).map(({ op }) => op)).toEqual(order);
    const feeds = { x: { dims: [2, 3], data: [1, -2, 3e38, 0, 2 ** -126, 6].map(Math.fround) } };
    const [result] = await run([y!], feeds);
    expect(result!.data.map(value => value + 0)).toEqual(expected.map(Math.fround));
  });

  test('elsewhere keep out what is not finite', async () => {
    const [y] = fasterForms([masked]);
    const feeds = { x: { dims: [2, 3], data: [1, Number.NEGATIVE_INFINITY, 3, Number.NaN, -5, 6] } };
    expect((await run([y!], feeds))[0]!.data).toEqual([1, 0, 3, 0, 0, 6]);
  });
});

describe('single numbers', () => {
  test('get as many axes as the kernel beside them, once for all of its uses', () => {
    const [a, rate] = [x(6, 4, 1, 1), input('rate', 'float32', [])];
    const [y] = fasterForms([ops.add(ops.mul(rate, a), ops.div(a, rate))]);
    const nodes = nodesBelow([y!]);
    expect(nodes.filter(({ op }) => op === 'Reshape')).toHaveLength(1);
    for (const { op, inputs } of nodes)
      if (op !== 'Reshape') expect(inputs.map(({ dims }) => dims.length)).toEqual([4, 4]);
  });

  test('stay beside tensors that do not end in an axis of one', () => {
    const a = x(6, 4);
    const y = ops.mul(a, constant(2));
    expect(fasterForms([y])).toEqual([y]);
  });
});
