/** Normalisation behind a widening convolution: the same gradients as by the maps themselves, which are then read no more. */
import { expect, test } from 'vitest';
import { fasterForms } from '#core/graph/faster-forms';
import { gradientsOf } from '#core/graph/gradients';
import * as ops from '#core/graph/ops';
import { makeTrainable } from '#core/graph/parameters';
import { constant, input, nodesBelow, type Tensor } from '#core/graph/tensor';
import { Random } from '#core/random';
import { relativeError } from './central-differences.ts';
import { run } from './runtime.ts';

const [images, inputs, outputs, size] = [4, 8, 32, 64];
const random = new Random(3);
const noise = (length: number, spread = 1, middle = 0) =>
  Float32Array.from({ length }, () => middle + spread * random.normal());
const stored = {
  narrow: constant(noise(inputs * inputs), [inputs, inputs, 1, 1]),
  wide: constant(noise(outputs * inputs, 0.3), [outputs, inputs, 1, 1]),
  scale: constant(noise(outputs, 0.2, 1), [outputs]),
  bias: constant(noise(outputs, 0.2), [outputs]),
  mean: constant(new Float32Array(outputs), [outputs]),
  variance: constant(new Float32Array(outputs).fill(1), [outputs]),
};
const photos = input('photos', 'float32', [images, inputs, size, size]);

/** Gradients of all weights; between the convolution and what normalises it stands nothing, or a node that changes nothing. */
function gradients(between: (y: Tensor) => Tensor): { gradients: Tensor[]; feeds: Parameters<typeof run>[1] } {
  const wide = ops.conv(ops.conv(photos, stored.narrow), stored.wide);
  const y = ops.batchNormalization(between(wide), stored.scale, stored.bias, stored.mean, stored.variance);
  const weights = new Map(Object.entries(stored));
  const { outputs: made, parameters } = makeTrainable([ops.clip(y, { min: 0, max: 6 })], {
    weights,
    statistics: 'batch',
  });
  const factors = constant(
    noise(outputs * size).map((_, i) => Math.sin(i)),
    [1, outputs, size, 1],
  );
  const loss = ops.reduceSum(ops.mul(made[0]!, factors), { keepdims: 0 });
  const feeds = Object.fromEntries(
    parameters.map(({ name, tensor, initial }) => [name, { dims: tensor.dims as number[], data: [...initial] }]),
  );
  const all = gradientsOf(
    loss,
    parameters.map(({ tensor }) => tensor),
  );
  return { gradients: fasterForms(all), feeds };
}

test('the same gradients, by fewer passes over the wide maps', async () => {
  const [direct, broken] = [gradients(y => y), gradients(y => ops.mul(y, constant(1)))];
  // Far from zero, where sums of squares lose the most.
  const pixels = { dims: photos.dims as number[], data: [...noise(images * inputs * size * size, 1, 3)] };
  const feeds = { ...direct.feeds, photos: pixels };
  const [results, expected] = [await run(direct.gradients, feeds), await run(broken.gradients, feeds)];
  expect(results).toHaveLength(4);
  for (const [i, { dims, data }] of results.entries()) {
    expect(dims).toEqual(expected[i]!.dims);
    expect(relativeError(data, expected[i]!.data)).toBeLessThan(1e-5);
  }
  const passes = (of: readonly Tensor[]) =>
    nodesBelow(of).filter(
      ({ op, outputs: [y] }) => op !== 'Conv' && `${y!.dims}` === `${[images, outputs, size, size]}`,
    );
  const way = ['Expand', 'Mul', 'Sub', 'Mul', 'BatchNormalization', 'Clip', 'Greater', 'Less', 'Equal', 'Cast', 'Mul'];
  expect(passes(direct.gradients).map(({ op }) => op)).toEqual(way);
  expect(passes(broken.gradients).length).toBeGreaterThanOrEqual(way.length + 5);
});
