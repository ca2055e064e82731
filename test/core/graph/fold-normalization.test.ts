/** Normalisation folded into convolutions: the same numbers, fewer nodes. */
import { describe, expect, it } from 'vitest';
import { foldNormalization } from '#core/graph/fold-normalization';
import * as ops from '#core/graph/ops';
import { constant, input, nodesBelow, type Tensor } from '#core/graph/tensor';
import { Random } from '#core/random';
import { relativeError } from './central-differences.ts';
import { run } from './runtime.ts';

const random = new Random(3);
const numbers = (length: number, middle = 0) => Float32Array.from({ length }, () => middle + 0.3 * random.normal());
const stored = (dims: readonly number[], middle = 0) =>
  constant(
    numbers(
      dims.reduce((a, b) => a * b, 1),
      middle,
    ),
    dims,
  );

const x = input('x', 'float32', [2, 4, 7, 6]);
const feeds = { x: { dims: [2, 4, 7, 6], data: Array.from(numbers(336)) } };

const normalized = (y: Tensor, channels: number, epsilon = 1e-5) =>
  ops.batchNormalization(
    y,
    stored([channels], 1),
    stored([channels]),
    stored([channels], 0.5),
    constant(numbers(channels).map(Math.abs)),
    { epsilon },
  );

const opsOf = (outputs: readonly Tensor[]) => nodesBelow(outputs).map(({ op }) => op);

describe('normalisation', () => {
  it.each([
    ['plain', () => ops.conv(x, stored([5, 4, 3, 3]), undefined, { pads: [1, 1, 1, 1] }), 5],
    [
      'with a bias, strides and dilations',
      () => ops.conv(x, stored([6, 4, 3, 2]), stored([6]), { strides: [2, 1], dilations: [1, 2] }),
      6,
    ],
    ['depthwise', () => ops.conv(x, stored([4, 1, 3, 3]), undefined, { group: 4 }), 4],
    ['in two groups', () => ops.conv(x, stored([6, 2, 1, 1]), stored([6]), { group: 2 }), 6],
  ])('is folded: %s', async (_name, convolution, channels) => {
    const before = [ops.relu(normalized(convolution(), channels, 1e-3))];
    const after = foldNormalization(before);
    expect(opsOf(after)).toEqual(['Conv', 'Relu']);
    const [expected, got] = [await run(before, feeds), await run(after, feeds)];
    expect(relativeError(got[0]!.data, expected[0]!.data)).toBeLessThan(1e-5);
  });

  it('of a whole chain is folded', async () => {
    const first = ops.relu(normalized(ops.conv(x, stored([4, 4, 1, 1])), 4));
    const before = [
      ops.add(first, normalized(ops.conv(first, stored([4, 4, 3, 3]), stored([4]), { pads: [1, 1, 1, 1] }), 4)),
    ];
    const after = foldNormalization(before);
    expect(opsOf(after)).toEqual(['Conv', 'Relu', 'Conv', 'Add']);
    expect(relativeError((await run(after, feeds))[0]!.data, (await run(before, feeds))[0]!.data)).toBeLessThan(1e-5);
  });

  it('stays where somebody else reads the convolution, or none is before it', () => {
    const shared = ops.conv(x, stored([4, 4, 1, 1]));
    const twice = [ops.add(shared, normalized(shared, 4))];
    expect(foldNormalization(twice)).toEqual(twice);
    const given = [shared, normalized(shared, 4)];
    expect(foldNormalization(given)).toEqual(given);
    const bare = [normalized(x, 4)];
    expect(foldNormalization(bare)).toEqual(bare);
  });

  it('stays where its numbers are not stored', () => {
    const scale = input('scale', 'float32', [4]);
    const [bias, mean, variance] = [stored([4]), stored([4]), stored([4], 1)];
    const before = [ops.batchNormalization(ops.conv(x, stored([4, 4, 1, 1])), scale, bias, mean, variance)];
    expect(foldNormalization(before)).toEqual(before);
  });
});
