/** Training on given masks: what is refused before anything is trained, and what comes out, on a store in memory. */
import { afterAll, describe, expect, it } from 'vitest';
import { MemoryStore } from '#adapters/local/memory-store';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { encodeIndexPng } from '#core/formats/png-index';
import { toModel } from '#core/graph/model';
import { averagePool, conv, relu, resize } from '#core/graph/ops';
import { constant, input } from '#core/graph/tensor';
import { fromJson } from '#pipeline/documents';
import { finetuneOnMasks, type MaskTraining } from '#pipeline/finetune-on-masks';
import { openPublished } from '#pipeline/labeller';
import { portsOf } from './small-job.ts';

const models = new OnnxRuntime();
const images = new SharpCodec();
afterAll(() => models.close());

/** @param cubic with an operator that has no gradient */
function network(cubic: boolean): Uint8Array {
  const image = input('image', 'float32', ['N', 3, 'H', 'W']);
  const pooled = averagePool(image, { kernel_shape: [16, 16], strides: [16, 16] });
  const weights = (outputs: number, inputs: number) =>
    constant(
      Float32Array.from({ length: outputs * inputs }, (_, i) => Math.sin(i + 1)),
      [outputs, inputs, 1, 1],
    );
  const first = relu(conv(pooled, weights(6, 3)));
  const halved = cubic ? resize(first, { scales: [1, 1, 0.5, 0.5] }, { mode: 'cubic' }) : first;
  return toModel({ name: 'small', inputs: [image], outputs: { deep: relu(conv(halved, weights(8, 6))) } });
}

/** Photos of two halves, dark and bright, with masks. @param id of a pixel by its half */
async function filled(count: number, id: (half: 0 | 1) => number, cubic = false): Promise<MemoryStore> {
  const store = new MemoryStore();
  const [width, height] = [64, 48];
  for (let i = 0; i < count; i++) {
    const half = (p: number): 0 | 1 => (p % width < 32 ? 0 : 1);
    const data = Uint8Array.from({ length: width * height * 3 }, (_, j) => (half(Math.floor(j / 3)) ? 200 : 30) + i);
    await store.put(`datasets/d/images/${i}.jpg`, await images.encodeJpeg({ width, height, data }, 90));
    const ids = Uint16Array.from({ length: width * height }, (_, p) => id(half(p)));
    const mask = { width, height, data: ids };
    const png = await encodeIndexPng(mask, { highest: 255, deflate: bytes => images.deflate(bytes) });
    await store.put(`datasets/d/masks/${i}.png`, png);
  }
  await store.put(
    'datasets/d/images/9.jpg',
    await images.encodeJpeg({ width: 8, height: 8, data: new Uint8Array(192) }, 90),
  );
  await store.put('datasets/d/categories.txt', new TextEncoder().encode('1\tbright\n2\tnever\n'));
  await store.put('backbones/small.onnx', network(cubic));
  return store;
}

const training: MaskTraining = {
  images: 'datasets/d/images/',
  masks: 'datasets/d/masks/',
  backbone: 'backbones/small.onnx',
  scope: 'all',
  budget: { epochs: 2 },
  batch: 2,
  seed: 1,
  name: 'few',
};

const train = (store: MemoryStore, more: Partial<MaskTraining> = {}) =>
  finetuneOnMasks(portsOf({ models, images }, store, { now: () => 0 }), { ...training, ...more });

describe('training on masks', () => {
  it('publishes a model that labels by argmax, with the names of the classes', async () => {
    const store = await filled(4, half => half);
    const told = await train(store);
    expect(told).toMatchObject({ pictures: 4, unlabelled: 1, rejected: [], classes: 2, steps: 4, batch: 2 });
    const { classes } = fromJson<{ classes: { name: string }[] }>((await store.get('model/classes.json'))!);
    expect(classes.map(({ name }) => name)).toEqual(['bright', 'never']);
    const labeller = await openPublished(portsOf({ models, images }, store, { now: () => 0 }), 'model/');
    expect(labeller.decision).toEqual({ kind: 'argmax' });
    expect(labeller.model.outputs).toEqual(['scores']);
    await labeller.model.release();
    const lines = new TextDecoder()
      .decode((await store.get('training.jsonl'))!)
      .trimEnd()
      .split('\n');
    expect(lines.map(line => JSON.parse(line).step)).toEqual([1, 2, 3, 4]);
  });

  it('changes nothing when it is done, and gives the same bytes elsewhere', async () => {
    const [one, other] = [await filled(4, half => half), await filled(4, half => half)];
    await train(one);
    const bytes = await one.get('model/model.onnx');
    const card = await one.get('model/card.json');
    await one.delete('training.jsonl');
    await train(one);
    expect(await one.get('training.jsonl')).toBeUndefined();
    expect(await one.get('model/card.json')).toEqual(card);
    await train(other);
    expect(await other.get('model/model.onnx')).toEqual(bytes);
  });

  const refusals: [what: string, made: Made, more: Partial<MaskTraining>, words: RegExp][] = [
    ['a batch larger than the set', {}, { batch: 5 }, /a batch of 5 cannot be made of 4 usable pictures/],
    ['one class only', { id: () => 1 }, {}, /the masks hold class 1 only/],
    ['masks of ignored pixels', { id: () => 255 }, { classes: 2 }, /every pixel of the masks is ignored/],
    ['an operator without gradient', { cubic: true }, {}, /Resize .*no gradient.*or train the head alone/],
  ];

  it.each(refusals)('refuses %s', async (_what, { id = half => half, cubic = false }, more, words) => {
    const store = await filled(4, id, cubic);
    await expect(train(store, more)).rejects.toThrow(words);
    expect(await store.get('model/model.onnx')).toBeUndefined();
  });

  it('trains the head of a network that cannot be trained', async () => {
    expect(await train(await filled(4, half => half, true), { scope: 'head' })).toMatchObject({
      scope: 'head',
      steps: 4,
    });
  });
});

interface Made {
  readonly id?: (half: 0 | 1) => number;
  readonly cubic?: boolean;
}
