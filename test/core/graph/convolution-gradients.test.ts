/** Every form of a convolution's gradients against sums written from the definition. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Convolution,
  inputForm,
  inputGradient,
  kernelForm,
  kernelGradient,
  possibleInputForms,
  possibleKernelForms,
} from '#core/graph/convolution-gradients';
import { conv } from '#core/graph/ops';
import { type Dim, input } from '#core/graph/tensor';
import { Random } from '#core/random';
import { relativeError } from './central-differences.ts';
import type { Value } from './evaluator.ts';
import { run } from './runtime.ts';

interface Shape {
  batch: number;
  size: [number, number];
  group: number;
  depth: number;
  perGroup: number;
  kernel: [number, number];
  strides: [number, number];
  dilations: [number, number];
  pads: [number, number, number, number];
}

const one = (from: number, to: number) => fc.integer({ min: from, max: to });
const two = (from: number, to: number) => fc.tuple(one(from, to), one(from, to));
const shapes: fc.Arbitrary<Shape> = fc
  .record({
    batch: fc.constantFrom(1, 2, 3, 8),
    size: two(3, 8),
    group: one(1, 3),
    depth: one(1, 2),
    perGroup: one(1, 2),
    kernel: two(1, 3),
    strides: two(1, 3),
    dilations: two(1, 2),
    pads: fc.tuple(one(0, 2), one(0, 2), one(0, 2), one(0, 2)),
  })
  .filter(({ size, kernel, dilations, pads }) =>
    size.every((n, i) => n + pads[i]! + pads[i + 2]! >= (kernel[i]! - 1) * dilations[i]! + 1),
  );

function convolutionOf({ batch, size, group, depth, perGroup, kernel, strides, dilations, pads }: Shape): Convolution {
  const x = input('x', 'float32', [batch, group * depth, ...size]);
  const w = input('w', 'float32', [group * perGroup, depth, ...kernel]);
  const settings = { strides, dilations, pads, group };
  return { x, w, g: input('g', 'float32', conv(x, w, undefined, settings).dims), settings };
}

function noise(dims: readonly number[], random: Random): Value {
  return { dims, data: Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => Math.fround(random.normal())) };
}

/** For every output and every position of the kernel: the output's gradient goes to what it was made of. */
function byDefinition({ settings, ...tensors }: Convolution, x: Value, w: Value, g: Value) {
  const { strides, dilations, pads, group } = settings;
  const sizes = (dims: readonly Dim[]) => dims as readonly number[] as readonly [number, number, number, number];
  const [, channels, height, width] = sizes(tensors.x.dims);
  const [outputs, depth, rows, columns] = sizes(tensors.w.dims);
  const [batch, , down, across] = sizes(tensors.g.dims);
  const [dX, dW] = [x.data.map(() => 0), w.data.map(() => 0)];
  for (let n = 0; n < batch; n++)
    for (let m = 0; m < outputs; m++)
      for (let i = 0; i < down; i++)
        for (let j = 0; j < across; j++)
          for (let d = 0; d < depth; d++)
            for (let k = 0; k < rows; k++)
              for (let l = 0; l < columns; l++) {
                const y = i * strides[0]! - pads[0]! + k * dilations[0]!;
                const z = j * strides[1]! - pads[1]! + l * dilations[1]!;
                if (y < 0 || y >= height || z < 0 || z >= width) continue;
                const channel = Math.floor(m / (outputs / group)) * depth + d;
                const from = ((n * channels + channel) * height + y) * width + z;
                const tap = ((m * depth + d) * rows + k) * columns + l;
                const slope = g.data[((n * outputs + m) * down + i) * across + j]!;
                dX[from]! += slope * w.data[tap]!;
                dW[tap]! += slope * x.data[from]!;
              }
  return { dX, dW };
}

const valuesFor = ({ x, w, g }: Convolution, seed: number): [Value, Value, Value] => {
  const random = new Random(seed);
  const of = ({ dims }: { dims: readonly Dim[] }) => noise(dims as readonly number[], random);
  return [of(x), of(w), of(g)];
};

test('all forms, any strides, pads, dilations and groups', async () => {
  await fc.assert(
    fc.asyncProperty(shapes, fc.integer(), async (shape, seed) => {
      const convolution = convolutionOf(shape);
      const [x, w, g] = valuesFor(convolution, seed);
      const { dX, dW } = byDefinition(convolution, x, w, g);
      const covered = shape.pads.every((size, i) => size <= (shape.kernel[i % 2]! - 1) * shape.dilations[i % 2]!);
      const plain = shape.group === 1 && shape.strides.every(stride => stride === 1);
      const possible = possibleInputForms(convolution);
      const single = shape.group === 1 ? ['summed'] : [];
      if (covered) expect(possible).toEqual(['transposed', ...single, 'flipped', ...(plain ? ['gathered'] : [])]);
      const forms = possible.map(form => inputGradient(convolution, form));
      const kernels = possibleKernelForms(convolution).map(form => kernelGradient(convolution, form));
      const results = await run([...forms, ...kernels], { x, w, g });
      for (const [i, { dims, data }] of results.entries()) {
        expect(dims).toEqual(i < forms.length ? x.dims : w.dims);
        expect(relativeError(data, i < forms.length ? dX : dW)).toBeLessThan(1e-5);
      }
    }),
    { numRuns: 25, seed: 4 },
  );
});

/** As wide as the output, stride 1: what has halves. */
const halved: fc.Arbitrary<Shape> = fc
  .record({ batch: one(1, 2), height: one(1, 5), half: one(2, 5), group: one(1, 3), rows: one(1, 4), reach: one(0, 2) })
  .chain(({ batch, height, half, group, rows, reach }) =>
    fc.tuple(one(0, 3), one(0, 3), one(0, 2 * reach)).map(([above, below, before]) => ({
      batch,
      size: [height + rows, 2 * half],
      ...{ group, depth: 1, perGroup: 1, kernel: [rows, 1 + 2 * reach], strides: [1, 1], dilations: [1, 1] },
      pads: [above, before, below, 2 * reach - before],
    })),
  );

test('halves of wide maps, any padding', async () => {
  let checked = 0;
  await fc.assert(
    fc.asyncProperty(halved, fc.integer(), async (shape, seed) => {
      const convolution = convolutionOf(shape);
      if (!possibleKernelForms(convolution).includes('halves')) return;
      const [x, w, g] = valuesFor(convolution, seed);
      const [{ data }] = (await run([kernelGradient(convolution, 'halves')], { x, w, g })) as [Value];
      expect(relativeError(data, byDefinition(convolution, x, w, g).dW)).toBeLessThan(1e-5);
      checked++;
    }),
    { numRuns: 30, seed: 4 },
  );
  expect(checked).toBeGreaterThan(15);
});

describe('the form is chosen by shape', () => {
  const shape: Shape = {
    batch: 2,
    size: [8, 8],
    group: 1,
    depth: 16,
    perGroup: 16,
    kernel: [3, 3],
    strides: [1, 1],
    dilations: [1, 1],
    pads: [1, 1, 1, 1],
  };
  test.each<[string, Partial<Shape>, string, string]>([
    ['3×3', {}, 'flipped', 'taps'],
    ['3×3, many channels', { depth: 256, perGroup: 256 }, 'flipped', 'product'],
    ['3×3 at stride 2', { strides: [2, 2] }, 'transposed', 'taps'],
    ['3×3, many channels of a batch', { batch: 8, depth: 64, perGroup: 64 }, 'gathered', 'taps'],
    ['1×1', { kernel: [1, 1], pads: [0, 0, 0, 0] }, 'flipped', 'shifted'],
    ['1×1 on few places', { kernel: [1, 1], pads: [0, 0, 0, 0], size: [1, 1] }, 'flipped', 'product'],
    ['colours', { depth: 3, strides: [2, 2] }, 'transposed', 'columns'],
    ['colours, large kernel', { depth: 3, kernel: [7, 7], pads: [3, 3, 3, 3] }, 'flipped', 'image'],
    ['3×3 on wide maps', { size: [16, 16], depth: 128, perGroup: 128 }, 'flipped', 'taps'],
    ['depthwise', { group: 16, depth: 1, perGroup: 1 }, 'flipped', 'pairs'],
    ['depthwise at stride 2', { group: 16, depth: 1, perGroup: 1, strides: [2, 2] }, 'transposed', 'pairs'],
    ['depthwise on larger maps', { group: 16, depth: 1, perGroup: 1, size: [20, 20] }, 'flipped', 'rows'],
    ['depthwise on wide maps', { group: 16, depth: 1, perGroup: 1, size: [20, 30] }, 'flipped', 'halves'],
    ['depthwise on the largest', { group: 16, depth: 1, perGroup: 1, size: [20, 90] }, 'flipped', 'depthwise'],
    ['wide padding', { kernel: [2, 2], pads: [2, 2, 2, 2] }, 'transposed', 'taps'],
  ])('%s', (_name, change, forInput, forKernel) => {
    const convolution = convolutionOf({ ...shape, ...change });
    expect([inputForm(convolution), kernelForm(convolution)]).toEqual([forInput, forKernel]);
  });
});
