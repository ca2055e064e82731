/** `--method pass` and the learned gate on generated scenes, from photos to label maps, killed at every slice and not. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { MemoryQueue } from '#adapters/local/memory-queue';
import { Crash, type Faults, MemoryStore } from '#adapters/local/memory-store';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { backboneBytes } from '#core/backbone/backbone-file';
import { applyModel, importModel } from '#core/graph/import';
import { l2Normalize } from '#core/graph/layers';
import { toModel } from '#core/graph/model';
import { matmul, reduceMean } from '#core/graph/ops';
import { constant, input } from '#core/graph/tensor';
import { keys } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import type { Receipt } from '#core/job/receipt';
import type { Card } from '#core/labels/card';
import { Random } from '#core/random';
import { scene } from '#core/scenes/scene';
import { type AttentionReport, openAttended } from '#pipeline/backbone';
import { readJson, readObject, toJson } from '#pipeline/documents';
import { outputKey } from '#pipeline/marker';
import { runMessage } from '#pipeline/stages';
import { tinyResnet } from '../core/graph/tiny-networks.ts';
import { portsOf } from './small-job.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const models = new OnnxRuntime();
const images = new SharpCodec();
afterAll(() => models.close());

const request = {
  images: 'datasets/d/images/',
  backbone: 'backbones/tiny.onnx',
  method: 'pass',
  clusters: 3,
  restarts: 2,
  trainEpochs: 1,
  trainBatch: 4,
};

async function bucket(settings: object, count = 9): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (let i = 0; i < count; i++) {
    const { image } = scene(60 + i, { width: 120, height: 80 });
    await store.put(`datasets/d/images/${i}.jpg`, await images.encodeJpeg(image, 90));
  }
  await store.put('datasets/d/images/note.txt', new TextEncoder().encode('no photo'));
  await store.put('backbones/tiny.onnx', tinyResnet());
  await store.put(keys.request('j'), toJson({ ...request, ...settings }));
  return store;
}

/**
 * Runs until the queue is empty, or what comes after attend is asked for. Every look at the clock is half a minute later,
 * so that each step is a slice.
 */
async function work(
  first: MemoryStore,
  faults: (life: number) => Faults | undefined = () => undefined,
  attendOnly = false,
) {
  let now = 0;
  const clock = { now: () => (now += 30_000) };
  const queue = new MemoryQueue({ clock: { now: () => now } });
  const queues = { work: () => queue, control: queue };
  let lives = 1;
  let store = first.restarted(faults(lives));
  await queue.send([JSON.stringify({ v: 1, job: 'j', stage: 'plan', piece: 'plan' })]);
  while (queue.size > 0) {
    const [message] = await queue.receive(1, 0);
    now += message ? 0 : 301_000;
    if (!message) continue;
    if (attendOnly && message.body.includes('"embed"')) break;
    try {
      await runMessage(portsOf({ models, images }, store, clock), queues, message.body);
      await queue.delete(message.receipt);
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      store = store.restarted(faults(++lives));
    }
  }
  return { store, lives };
}

describe('--method pass', () => {
  let store: MemoryStore;
  let plan: Plan;
  let report: AttentionReport;
  beforeAll(async () => {
    ({ store } = await work(await bucket({})));
    plan = await readJson<Plan>(store, keys.plan('j'));
    report = await readJson<AttentionReport>(store, outputKey(plan, 'attend', 'head', 'json'));
  });

  test('trains the exact gate of all channels, one epoch of two steps', () => {
    expect(report.gate).toMatchObject({
      form: 'exact',
      start: 'random',
      channels: 12,
      projection: 'trained',
      pictures: 9,
      batch: 4,
      queue: 4,
      steps: 2,
      movedStatistics: true,
    });
    expect(report.threshold).toBeGreaterThan(0);
    expect(report.threshold).toBeLessThan(1);
  });

  test('clusters vectors of the gated features, labels every photo', async () => {
    const { inputs, outputs } = importModel(await readObject(store, outputKey(plan, 'attend', 'head', 'onnx')));
    expect(inputs.map(({ name }) => name)).toEqual(['deep']);
    expect(outputs.map(({ name }) => name)).toEqual(['foreground', 'embedding', 'pooled']);
    const { counts } = await readJson<Receipt>(store, keys.published('j', 'receipt.json'));
    expect(counts).toMatchObject({ rejected: 1, duplicate: 0 });
    expect(counts.labelled! + counts.empty!).toBe(9);
  });

  test('says in the card and the report what was trained', async () => {
    const { version, model } = await readJson<{ model: string; version: string }>(
      store,
      keys.currentModel('selflabel'),
    );
    const card = await readJson<Card>(store, keys.model(model, version, 'card.json'));
    expect(card).toMatchObject({ projectionHead: 'trained', prototypes: 'trained', attention: { kind: 'pass' } });
    expect(card.decision).toMatchObject({ upsample: 'nearest', refine: null });
    const page = new TextDecoder().decode(await readObject(store, keys.published('j', 'report/index.html')));
    expect(page).toContain('Pixel attention');
    expect(page).toContain('Loss of 2 steps');
  });

  test('killed before and after every write of the training: the same bytes', async () => {
    const files = ['onnx', 'json', 'jsonl', 'safetensors'];
    const bytes = async (from: MemoryStore) =>
      Promise.all(files.map(file => readObject(from, outputKey(plan, 'attend', 'head', file))));
    const expected = await bytes(store);
    const checkpoint = outputKey(plan, 'attend', 'head', 'checkpoint.safetensors');
    const saves = (life: number): Faults => {
      let writes = 0;
      return ({ operation, key }) =>
        operation === 'put' && key === checkpoint && life < 4 && ++writes === 1
          ? { kind: 'crash', when: life % 2 ? 'before' : 'after' }
          : undefined;
    };
    const killed = await work(await bucket({}), saves, true);
    expect(killed.lives).toBe(4);
    const actual = await bytes(killed.store);
    for (const [i, file] of files.entries())
      expect([file, Buffer.compare(actual[i]!, expected[i]!)]).toEqual([file, 0]);
    expect(await killed.store.get(checkpoint)).toBeUndefined();
  });

  test('a trained gate as a file: with the backbone as training left it alone; its foreground, a threshold of its own', async () => {
    const other = await bucket({ attention: 'backbones/gate.onnx', trainEpochs: undefined, trainBatch: undefined });
    const file = await readObject(store, outputKey(plan, 'attend', 'head', 'onnx'));
    await other.put('backbones/gate.onnx', file);
    await expect(work(other, undefined, true)).rejects.toThrow(
      'gate.onnx was fitted to another backbone than tiny.onnx',
    );
    const { model, settings } = await openAttended(store, plan);
    await other.put('backbones/tiny.onnx', backboneBytes(model, settings));
    const { store: done } = await work(other, undefined, true);
    const next = await readJson<Plan>(done, keys.plan('j'));
    expect(Buffer.compare(await readObject(done, outputKey(next, 'attend', 'head', 'onnx')), file)).toBe(0);
  });
});

test('--method pass --finetune all: the whole method, killed while it trains', async () => {
  const settings = { finetune: 'all' };
  const { store } = await work(await bucket(settings));
  const plan = await readJson<Plan>(store, keys.plan('j'));
  const { version } = await readJson<{ version: string }>(store, keys.currentModel('selflabel'));
  const card = await readJson<Card>(store, keys.model('selflabel', version, 'card.json'));
  expect(card).toMatchObject({
    decision: { kind: 'argmax' },
    finetune: { recipe: 'published', scope: 'all', steps: 2 },
  });
  const { counts } = await readJson<Receipt>(store, keys.published('j', 'receipt.json'));
  expect(counts.labelled! + counts.empty!).toBe(9);
  const trained = (from: MemoryStore) => readObject(from, outputKey(plan, 'finetune', 'model', 'onnx'));
  const checkpoint = outputKey(plan, 'finetune', 'model', 'checkpoint.safetensors');
  const saves = (life: number): Faults => {
    let writes = 0;
    return ({ operation, key }) =>
      operation === 'put' && key === checkpoint && life < 4 && ++writes === 1
        ? { kind: 'crash', when: life % 2 ? 'before' : 'after' }
        : undefined;
  };
  const killed = await work(await bucket(settings), saves);
  expect(killed.lives).toBe(4);
  expect(Buffer.compare(await trained(killed.store), await trained(store))).toBe(0);
});

test('--attention pass in the default recipe: the gate of the ×4 grid, segments of the recipe', async () => {
  const settings = { method: 'selflabel', attention: 'pass' };
  const { store } = await work(await bucket(settings), undefined, true);
  const plan = await readJson<Plan>(store, keys.plan('j'));
  const { outputs } = importModel(await readObject(store, outputKey(plan, 'attend', 'head', 'onnx')));
  expect(outputs.map(({ name }) => name)).toEqual(['foreground', 'embedding']);
  const report = await readJson<AttentionReport>(store, outputKey(plan, 'attend', 'head', 'json'));
  expect(report).toMatchObject({ kind: 'pass', gate: { form: 'exact', start: 'seeds', steps: 2 } });
});

/** The small network with a projection head and prototypes in its file, and the JSON that names them. */
function networkWithHead(): { bytes: Uint8Array; json: object } {
  const random = new Random(4);
  const weights = (...dims: [number, number]) =>
    constant(
      Float32Array.from({ length: dims[0] * dims[1] }, () => random.normal()),
      dims,
    );
  const image = input('image', 'float32', ['N', 3, 'H', 'W']);
  const [features] = applyModel(importModel(tinyResnet()), { image }, ['features']);
  const pooled = reduceMean(features!, { axes: [2, 3], keepdims: 0 });
  const projected = matmul(pooled, weights(12, 5));
  const scores = matmul(l2Normalize(projected, 1), weights(5, 7));
  const bytes = toModel({ name: 'head', inputs: [image], outputs: { features: features!, pooled, projected, scores } });
  const [prototypes] = [...importModel(bytes).constants].find(([, { dims }]) => dims[0] === 5 && dims[1] === 7)!;
  return {
    bytes,
    json: { outputs: [{ name: 'features' }], projection: { input: 'pooled', output: 'projected', prototypes } },
  };
}

test('a backbone that brings projection head and prototypes: they are used, with the full queue', async () => {
  const { bytes, json } = networkWithHead();
  const own = await bucket({ method: 'selflabel', attention: 'pass', unit: 'image' });
  await own.put('backbones/tiny.onnx', bytes);
  await own.put('backbones/tiny.json', toJson(json));
  const { store } = await work(own, undefined, true);
  const plan = await readJson<Plan>(store, keys.plan('j'));
  const { gate } = await readJson<AttentionReport>(store, outputKey(plan, 'attend', 'head', 'json'));
  expect(gate).toMatchObject({ form: 'exact', projection: 'given', prototypes: 7, queue: 3840, steps: 2 });
});

describe('refused, with the remedy', () => {
  const failing = async (settings: object, count?: number) => work(await bucket(settings, count));

  test('too few photos', async () => {
    await expect(failing({}, 7)).rejects.toThrow(
      'learns from at least 8 photos, and 7 of 8 files are usable (note.txt: ',
    );
  });

  test('a batch larger than the set', async () => {
    await expect(failing({ trainBatch: 64 })).rejects.toThrow('a batch of 64 cannot be made of 9 usable pictures');
  });
});
