/** What cannot be trained is said when the job is planned, before any stage works; what breaks, with what to try. */
import { afterAll, describe, expect, it } from 'vitest';
import { MemoryStore } from '#adapters/local/memory-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { toModel } from '#core/graph/model';
import { conv, relu, resize } from '#core/graph/ops';
import { constant, input, scope } from '#core/graph/tensor';
import { keys } from '#core/job/keys';
import { runRequest, settleRun } from '#core/job/request';
import { scene } from '#core/scenes/scene';
import { defaultRecipe } from '#core/training/recipes';
import { openBackbone } from '#pipeline/backbone';
import { toJson } from '#pipeline/documents';
import { fineTune } from '#pipeline/finetune';
import { plan } from '#pipeline/plan';
import type { ObjectStore, Ports } from '#pipeline/ports';
import { TrainingPictures } from '#pipeline/training-pictures';
import { portsOf as allPortsOf } from './small-job.ts';

/** @param mode cubic interpolation has no gradient here */
function network(mode: 'cubic' | 'linear'): Uint8Array {
  const image = input('image', 'float32', ['N', 3, 'H', 'W']);
  const weights = (outputs: number, inputs: number, size: number) =>
    constant(new Float32Array(outputs * inputs * size * size).fill(0.1), [outputs, inputs, size, size]);
  const first = relu(conv(image, weights(4, 3, 8), undefined, { strides: [8, 8] }));
  const halved = scope('neck', () => resize(first, { scales: [1, 1, 0.5, 0.5] }, { mode }));
  return toModel({ name: 'small', inputs: [image], outputs: { deep: relu(conv(halved, weights(8, 4, 1))) } });
}

/** Planning without masks needs no more than these. */
const portsOf = (store: ObjectStore) => ({ store, digest: nodeDigest }) as Ports;

async function planned(settings: object, mode: 'cubic' | 'linear'): Promise<MemoryStore> {
  const store = new MemoryStore();
  await store.put('datasets/d/images/1.jpg', Uint8Array.of(1));
  await store.put('backbones/small.onnx', network(mode));
  const request = { images: 'datasets/d/images/', backbone: 'backbones/small.onnx', ...settings };
  await store.put(keys.request('j'), toJson(request));
  await plan(portsOf(store), 'j');
  return store;
}

describe('planning a job that trains the whole network', () => {
  it.each([{}, { method: 'pass' }])('names the operator and its node that have no gradient: %j', async more => {
    await expect(planned({ finetune: 'all', ...more }, 'cubic')).rejects.toThrow(
      /^backbones\/small\.onnx: the network cannot be trained through its Resize "neck\/Resize_0" .*cubic .*no gradient.*\(--finetune head\)$/,
    );
  });

  it('plans it where there is a gradient, and training the head alone', async () => {
    for (const store of [
      await planned({ finetune: 'all' }, 'linear'),
      await planned({ finetune: 'head' }, 'cubic'),
      await planned({}, 'cubic'),
    ])
      expect(await store.head(keys.plan('j'))).toBeDefined();
  });
});

describe('a training whose loss breaks', () => {
  const models = new OnnxRuntime();
  afterAll(() => models.close());

  it.each([
    ['head', 1, /finetune: .* is no finite number at step \d+ of 3 .*; look at the features of the network/],
    ['all', 0, /finetune: .* is no finite number at step \d+ of 3 .*; train the head alone \(--finetune head\)/],
  ] as const)('says what to try: %s', async (scope, headRate, message) => {
    const images = new SharpCodec();
    const store = new MemoryStore();
    const ports = allPortsOf({ models, images }, store, { now: () => 0 });
    const { image, classes } = scene(1, { width: 64, height: 64 });
    await store.put('datasets/d/images/1.jpg', await images.encodeJpeg(image, 90));
    await store.put('backbones/small.onnx', network('linear'));
    const request = runRequest.parse({ images: 'datasets/d/images/', backbone: 'backbones/small.onnx' });
    const pictures = TrainingPictures.of(ports, {
      prefix: request.images,
      images: [{ name: '1.jpg', size: 1, etag: '' }],
      shorterSide: 64,
      mapOf: async () => classes,
    });
    const small = { side: 32, targetSide: 16 } as const;
    const headFirst = { peak: headRate * 1e38, epochs: 3, leastSteps: 1 };
    const recipe = { ...defaultRecipe, ...small, headFirst, peak: 1e38, warmUp: 0 };
    const backbone = await openBackbone(store, settleRun(request));
    const task = { backbone, scope, classes: 13, batch: 1, recipe, seed: 0 };
    await expect(fineTune(ports, task, pictures, { prefix: 't/', budget: { epochs: 3 } })).rejects.toThrow(message);
  });
});
