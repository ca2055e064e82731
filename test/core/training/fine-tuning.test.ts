/** Fine-tuning as graphs: what is trained, what is published, and what cannot be trained. */
import ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { filterBank, filterBankEntry } from '#core/backbone/filter-bank';
import { backboneSettings } from '#core/backbone/settings';
import { importModel } from '#core/graph/import';
import { toModel } from '#core/graph/model';
import { averagePool, conv, relu, resize } from '#core/graph/ops';
import { print } from '#core/graph/print';
import { constant, input } from '#core/graph/tensor';
import type { TrainingStep } from '#core/graph/training-step';
import { Random } from '#core/random';
import { type FineTuningTask, fineTunedModel, fineTuningRate, fineTuningStep } from '#core/training/fine-tuning';
import { defaultRecipe, type FineTuningRecipe, publishedRecipe, semiSupervisedRecipe } from '#core/training/recipes';
import { runModel } from '../graph/runtime.ts';

/** Two convolutions, with maps at strides 4 and 8. @param cubic an operator without gradient between them */
function network(cubic = false) {
  const random = new Random(2);
  const weights = (...dims: number[]) =>
    constant(
      Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 0.3 * random.normal()),
      dims,
    );
  const image = input('image', 'float32', ['N', 3, 'H', 'W']);
  const fine = relu(conv(averagePool(image, { kernel_shape: [4, 4], strides: [4, 4] }), weights(6, 3, 1, 1)));
  const half = cubic
    ? resize(fine, { scales: [1, 1, 0.5, 0.5] }, { mode: 'cubic' })
    : averagePool(fine, { kernel_shape: [2, 2], strides: [2, 2] });
  const deep = relu(conv(half, weights(8, 6, 3, 3), undefined, { pads: [1, 1, 1, 1] }));
  const model = importModel(toModel({ name: 'small', inputs: [image], outputs: { fine, deep } }));
  return { model, settings: backboneSettings(model, undefined), scales: 1, name: 'small.onnx' } as const;
}

const small = (recipe: FineTuningRecipe): FineTuningRecipe => ({ ...recipe, side: 32, targetSide: 16 });
const taskOf = (recipe: FineTuningRecipe, scope: 'head' | 'all' = 'all'): FineTuningTask => ({
  backbone: network(),
  scope,
  classes: 3,
  batch: 2,
  recipe: small(recipe),
  seed: 5,
});

/** Stripes of three colours, and which is which. */
const stripe = (x: number, width: number) => Math.floor((3 * x) / width);
const pixels = Uint8Array.from({ length: 2 * 32 * 32 * 3 }, (_, i) =>
  i % 3 === stripe(Math.floor(i / 3) % 32, 32) ? 200 + (i % 50) : (i * 7919) % 40,
);
const targets = Int32Array.from({ length: 2 * 16 * 16 }, (_, i) => stripe(i % 16, 16));

/** Runs the step a few times. */
async function trained({ model, state }: TrainingStep, rate: number, steps = 1, bytes = pixels) {
  let values = new Map(state.map(({ name, dims, initial }) => [name, { dims, data: initial }]));
  const losses: number[] = [];
  const session = await ort.InferenceSession.create(toModel(model), { logSeverityLevel: 3, intraOpNumThreads: 1 });
  for (let i = 0; i < steps; i++) {
    const outputs = await session.run({
      pixels: new ort.Tensor('uint8', bytes, [2, 32, 32, 3]),
      targets: new ort.Tensor('int32', targets, [2, 16, 16]),
      rate: new ort.Tensor('float32', [rate], []),
      ...Object.fromEntries([...values].map(([name, { dims, data }]) => [name, new ort.Tensor('float32', data, dims)])),
    });
    losses.push(Number(outputs.loss!.data[0]));
    values = new Map(
      [...values].map(([name, { dims }]) => [name, { dims, data: outputs[`${name}.next`]!.data as Float32Array }]),
    );
  }
  await session.release();
  return { losses, values: new Map([...values].map(([name, { data }]) => [name, data])) };
}

/** Mean cross-entropy of logits [2,3,h,w] at every target, from its definition: bilinear with half-pixel centres. */
function plainLoss(scores: ort.Tensor): number {
  const [, , height, width] = scores.dims as [number, number, number, number];
  const data = scores.data as Float32Array;
  const clamp = (value: number, high: number) => Math.min(Math.max(value, 0), high);
  let sum = 0;
  for (const [i, target] of targets.entries()) {
    const [n, y, x] = [Math.floor(i / 256), Math.floor((i % 256) / 16), i % 16];
    const [sy, sx] = [
      clamp(((y + 0.5) * height) / 16 - 0.5, height - 1),
      clamp(((x + 0.5) * width) / 16 - 0.5, width - 1),
    ];
    const [y0, x0] = [Math.floor(sy), Math.floor(sx)];
    const [y1, x1] = [Math.min(y0 + 1, height - 1), Math.min(x0 + 1, width - 1)];
    const logits = [0, 1, 2].map(k => {
      const at = (row: number, column: number) => data[((n * 3 + k) * height + row) * width + column]!;
      const top = at(y0, x0) * (x0 + 1 - sx) + at(y0, x1) * (sx - x0);
      const bottom = at(y1, x0) * (x0 + 1 - sx) + at(y1, x1) * (sx - x0);
      return top * (y0 + 1 - sy) + bottom * (sy - y0);
    });
    sum += Math.log(logits.reduce((a, b) => a + Math.exp(b), 0)) - logits[target]!;
  }
  return sum / targets.length;
}

const planes = Float32Array.from({ length: pixels.length }, (_, i) => {
  const [n, c, p] = [Math.floor(i / 3072), Math.floor((i % 3072) / 1024), i % 1024];
  return pixels[n * 3072 + p * 3 + c]!;
});

it('trains the filter bank on pictures without any contrast', async () => {
  const model = importModel(filterBank());
  const backbone = { model, settings: backboneSettings(model, filterBankEntry), scales: 1 } as const;
  const step = fineTuningStep({ ...taskOf({ ...defaultRecipe, headStart: 'random' }), backbone });
  const { losses, values } = await trained(step, 0.01, 4, pixels.slice().fill(128, pixels.length / 2));
  expect(losses[3]).toBeLessThan(losses[0]!);
  for (const [name, data] of values) expect([name, data.every(Number.isFinite)]).toEqual([name, true]);
});

const recipes = { defaultRecipe, publishedRecipe, semiSupervisedRecipe };

describe.each(Object.entries(recipes))('%s', (_name, recipe) => {
  it('publishes what it trained: the loss of the model is the loss of the next step', async () => {
    const task = taskOf(recipe);
    const step = fineTuningStep(task);
    const { values } = await trained(step, 0.01, 2);
    const { scores } = await runModel(fineTunedModel(task, values), {
      image: new ort.Tensor('float32', planes, [2, 3, 32, 32]),
    });
    const after = { ...step, state: step.state.map(one => ({ ...one, initial: values.get(one.name)! })) };
    expect(plainLoss(scores!)).toBeCloseTo((await trained(after, 0)).losses[0]!, 4);
  });

  it('prints its step', () => {
    expect(print(fineTuningStep(taskOf(recipe)).model.outputs)).toMatchSnapshot();
  });

  it('learns', async () => {
    const { losses } = await trained(fineTuningStep(taskOf(recipe)), recipe === publishedRecipe ? 20 : 0.02, 12);
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
  });
});

describe('fine-tuning', () => {
  it('begins without an opinion, and with the head that it is given', async () => {
    const task = taskOf(defaultRecipe, 'head');
    expect((await trained(fineTuningStep(task), 0)).losses[0]).toBeCloseTo(Math.log(3), 5);
    const { values } = await trained(fineTuningStep(task), 0.05, 3);
    const whole = await trained(fineTuningStep({ ...task, scope: 'all', start: values }), 0);
    const head = await trained(fineTuningStep({ ...task, start: values }), 0);
    expect(whole.losses[0]).toBeLessThan(Math.log(3));
    expect(whole.losses[0]).toBeCloseTo(head.losses[0]!, 5);
  });

  it('moves only the head where only that is asked for', () => {
    const names = (scope: 'head' | 'all') => fineTuningStep(taskOf(defaultRecipe, scope)).state.map(({ name }) => name);
    expect(names('head').filter(name => !name.includes('/'))).toEqual([
      'selflabel.head.weight',
      'selflabel.head.bias',
      'step',
    ]);
    expect(names('all').length).toBeGreaterThan(names('head').length);
  });

  it('moves what lies nearer to the image less', async () => {
    // With AdamW the first step is as long as the rate, whatever the gradient.
    const task = taskOf({ ...defaultRecipe, layerDecay: 0.5, headStart: 'random' });
    const { state, ...step } = fineTuningStep(task);
    const { values } = await trained({ state, ...step }, 0.1);
    const moves = state
      .filter(({ dims, name }) => dims.length === 4 && !name.includes('/'))
      .map(({ name, initial }) => Math.max(...initial.map((value, i) => Math.abs(values.get(name)![i]! - value))));
    expect(moves).toHaveLength(3);
    // Two convolutions share twelve levels: levels 1 and 7, below the head at 13.
    expect(moves[1]! / moves[0]!).toBeCloseTo(2 ** 6, -1);
    expect(moves[2]! / moves[1]!).toBeCloseTo(2 ** 6 / defaultRecipe.backboneRate, -2);
  });

  it('names the operator that has no gradient, and trains the head all the same', () => {
    const task = { ...taskOf(defaultRecipe), backbone: network(true) };
    expect(() => fineTuningStep(task)).toThrow(
      /cannot be trained through its Resize .*cubic interpolation has no gradient/,
    );
    expect(() => fineTuningStep({ ...task, scope: 'head' })).not.toThrow();
  });

  it('raises the rate first and lets it fall to its end', () => {
    const task = taskOf(semiSupervisedRecipe);
    const rates = Array.from({ length: 100 }, (_, step) => fineTuningRate(task, step, 100));
    expect(Math.max(...rates)).toBeCloseTo(5e-4, 8);
    expect(rates.indexOf(Math.max(...rates))).toBe(4);
    expect(rates[0]).toBeGreaterThan(0);
    expect(rates.at(-1)).toBeLessThan(2e-6);
    expect(fineTuningRate({ ...taskOf(defaultRecipe, 'head') }, 4, 100)).toBe(defaultRecipe.headFirst!.peak);
  });
});
