/** A job small enough for a test of everything: what it is given, what it runs with, and what people get of it. */
import { expect } from 'vitest';
import { MemoryStore } from '#adapters/local/memory-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { encodeIndexPng } from '#core/formats/png-index';
import { toModel } from '#core/graph/model';
import { averagePool, concat, conv, relu } from '#core/graph/ops';
import { constant, input } from '#core/graph/tensor';
import { keys } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import { Random } from '#core/random';
import { scene } from '#core/scenes/scene';
import { readState } from '#pipeline/advance';
import { collect } from '#pipeline/collect';
import { fromJson, readJson, toJson } from '#pipeline/documents';
import type { ImageCodec, ModelRunner, ObjectStore, Ports } from '#pipeline/ports';

/** A network of three lines, so that a job takes a moment: colours and their edges, at strides 16 and 32. */
function smallNetwork(): Uint8Array {
  const image = input('image', 'float32', ['N', 3, 'H', 'W']);
  const random = new Random(1);
  const weights = (outputs: number, inputs: number, size: number) =>
    constant(
      Float32Array.from({ length: outputs * inputs * size * size }, () => random.uniform() - 0.5),
      [outputs, inputs, size, size],
    );
  const edges = relu(conv(image, weights(8, 3, 4), undefined, { strides: [4, 4] }));
  const pool = (size: number) => ({ kernel_shape: [size, size], strides: [size, size] });
  const fine = averagePool(edges, pool(4));
  const deep = relu(
    conv(concat([fine, averagePool(image, pool(16))], { axis: 1 }), weights(16, 11, 2), undefined, { strides: [2, 2] }),
  );
  return toModel({ name: 'small', inputs: [image], outputs: { fine, deep } });
}

/** More files than one shard holds: photos and copies in both, and what is no photo between them; a validation set beside them. */
export async function fillBucket(images: ImageCodec, store: ObjectStore, settings: object): Promise<void> {
  const put = (key: string, bytes: Uint8Array) => store.put(`datasets/d/${key}`, bytes);
  for (let i = 0; i < 9; i++) {
    const { image, classes } = scene(40 + i, { width: 96, height: 64 });
    const name = `${i % 2 ? 'a' : 'z'}/${i}`;
    await put(`images/${name}.jpg`, await images.encodeJpeg(image, 90));
    if (i === 3) await put('images/z/copy.jpg', await images.encodeJpeg(image, 90));
    const mask = await encodeIndexPng(classes, { highest: 12, deflate: (bytes, runs) => images.deflate(bytes, runs) });
    for (const path of i === 3 ? [name, 'z/copy'] : [name]) await put(`masks/${path}.png`, mask);
  }
  for (let i = 0; i < 254; i++) await put(`images/notes/${i}.txt`, new TextEncoder().encode(`note ${i}`));
  for (const key of ['images/a/1.jpg', 'masks/a/1.png', 'images/a/5.jpg', 'masks/a/5.png'])
    await store.put(`datasets/v/${key}`, (await store.get(`datasets/d/${key}`))!);
  await store.put('backbones/small.onnx', smallNetwork());
  const request = {
    images: 'datasets/d/images/',
    masks: 'datasets/d/masks/',
    backbone: 'backbones/small.onnx',
    restarts: 3,
    threshold: 'from-masks',
    valImages: 'datasets/v/images/',
    valMasks: 'datasets/v/masks/',
    ...settings,
  };
  await store.put(keys.request('j'), toJson(request));
}

/** What does the work, whatever the store. */
export interface Machine {
  readonly models: ModelRunner;
  readonly images: ImageCodec;
}

export const portsOf = ({ models, images }: Machine, store: ObjectStore, clock: { now(): number }): Ports => ({
  store,
  models,
  images,
  digest: nodeDigest,
  clock,
  log: { progress: () => undefined, note: () => undefined },
  tuning: { threads: 2 },
  place: 'memory',
});

/** Everything people get, collected into an empty place. */
export async function resultOf(machine: Machine, store: ObjectStore): Promise<Map<string, string>> {
  expect((await readState(store, 'j'))?.state).toMatchObject({ stage: 'done', error: null });
  const target = new MemoryStore();
  await collect(portsOf(machine, store, { now: () => 0 }), target, await readJson<Plan>(store, keys.plan('j')));
  const result = new Map<string, string>();
  for await (const { key } of target.list('')) {
    const bytes = (await target.get(key))!;
    if (key === 'model/card.json' || key.startsWith('report/') || key.startsWith('jobs/')) continue;
    const left = key === 'receipt.json' ? 'timing' : key.endsWith('metrics.json') ? 'seconds' : undefined;
    const document = left && { ...fromJson<Record<string, unknown>>(bytes), [left]: undefined };
    result.set(key, nodeDigest.sha256(document ? toJson(document) : bytes));
  }
  return result;
}
