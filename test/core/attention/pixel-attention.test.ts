import { expect, test } from 'vitest';
import { type BackboneMaps, foregroundScore, project, unitFeatures } from '#core/attention/pixel-attention';
import { input, type Tensor } from '#core/graph/tensor';
import { resizeMap } from '#core/image/resize-map';
import { Random } from '#core/random';
import { run } from '../graph/runtime.ts';

/** A feature map, [channels, height, width]. */
interface Map {
  readonly data: Float32Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

const random = new Random(4);
const floats = (length: number) => Float32Array.from({ length }, () => random.normal());
const mapOf = (channels: number, height: number, width: number): Map => ({
  ...{ channels, height, width },
  data: floats(channels * height * width),
});

/** Every pixel scaled to length one, then every channel resized, by the definition. */
function slowUnit({ data, channels, height, width }: Map, toHeight: number, toWidth: number): Float32Array {
  const positions = height * width;
  const unit = data.slice();
  for (let p = 0; p < positions; p++) {
    let square = 0;
    for (let c = 0; c < channels; c++) square += data[c * positions + p]! ** 2;
    for (let c = 0; c < channels; c++) unit[c * positions + p]! /= Math.sqrt(square);
  }
  const out = new Float32Array(channels * toHeight * toWidth);
  for (let c = 0; c < channels; c++) {
    const channel = unit.subarray(c * positions, (c + 1) * positions);
    out.set(resizeMap(channel, height, width, toHeight, toWidth), c * toHeight * toWidth);
  }
  return out;
}

/** Runs what `build` makes of the maps. */
async function onRuntime(maps: Readonly<Record<string, Map>>, build: (maps: BackboneMaps) => Tensor) {
  const names = Object.keys(maps);
  const inputs = names.map(name => input(name, 'float32', ['N', maps[name]!.channels, `h_${name}`, `w_${name}`]));
  const built = build(Object.fromEntries(names.map((name, i) => [name, inputs[i]!])));
  const feeds = Object.fromEntries(
    names.map(name => {
      const { data, channels, height, width } = maps[name]!;
      return [name, { data: [...data], dims: [1, channels, height, width] }];
    }),
  );
  return (await run([built], feeds))[0]!;
}

const fine = mapOf(5, 6, 9);
const deep = mapOf(7, 3, 5);
const expectedUnit = Float32Array.of(...slowUnit(fine, 6, 9), ...slowUnit(deep, 6, 9));

test('unit features are each map of unit pixels, on the finest grid', async () => {
  const { data, dims } = await onRuntime({ fine, deep }, unitFeatures);
  expect(dims).toEqual([1, 12, 6, 9]);
  data.forEach((value, i) => {
    expect(value).toBeCloseTo(expectedUnit[i]!, 5);
  });
});

test('a projection before resizing is the projection of the unit features', async () => {
  const outputs = 4;
  const [matrix, offset] = [floats(outputs * 12), floats(outputs)];
  const { data, dims } = await onRuntime({ fine, deep }, maps =>
    project(maps, { fine: 5, deep: 7 }, { matrix, offset, outputs }),
  );
  expect(dims).toEqual([1, outputs, 6, 9]);
  data.forEach((value, i) => {
    const [output, position] = [Math.floor(i / 54), i % 54];
    let sum = offset[output]!;
    for (let c = 0; c < 12; c++) sum += matrix[output * 12 + c]! * expectedUnit[c * 54 + position]!;
    expect(value).toBeCloseTo(sum, 4);
  });
});

test('the norm of the deep features, and everything', async () => {
  const norms = Float32Array.from({ length: 15 }, (_, p) =>
    Math.hypot(...Array.from({ length: 7 }, (_, c) => deep.data[c * 15 + p]!)),
  );
  const norm = await onRuntime({ fine, deep }, maps =>
    foregroundScore({ foreground: { kind: 'norm' }, channels: {} }, maps),
  );
  const expected = resizeMap(norms, 3, 5, 6, 9);
  norm.data.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i]!, 4);
  });
  const all = await onRuntime({ deep }, maps => foregroundScore({ foreground: { kind: 'none' }, channels: {} }, maps));
  expect([...all.data]).toEqual(new Array(15).fill(1));
});
