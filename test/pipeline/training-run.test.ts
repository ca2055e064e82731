/** The driver of training: killed anywhere it ends in the same bytes, and what is wrong is said before or when it happens. */
import { afterAll, describe, expect, it } from 'vitest';
import { MemoryStore } from '#adapters/local/memory-store';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { conv, mul, reduceMean, sub } from '#core/graph/ops';
import { momentum } from '#core/graph/optimizers';
import { constant, input } from '#core/graph/tensor';
import { trainingStep } from '#core/graph/training-step';
import { Random } from '#core/random';
import { fromJson, toJson } from '#pipeline/documents';
import type { ObjectStore, Ports } from '#pipeline/ports';
import { SliceOver } from '#pipeline/slices';
import { clearTraining, historyLines, runTraining, type Trained, type TrainingRun } from '#pipeline/training-run';
import { portsOf } from './small-job.ts';

const models = new OnnxRuntime();
const images = new SharpCodec();
afterAll(() => models.close());

/** A filter that learns to double the middle pixel. @param first of its weights */
function doubling(first = 0.1) {
  const x = input('x', 'float32', [2, 1, 5, 5]);
  const weight = input('weight', 'float32', [1, 1, 3, 3]);
  const wanted = constant(Float32Array.of(0, 0, 0, 0, 2, 0, 0, 0, 0), [1, 1, 3, 3]);
  const error = sub(
    conv(x, weight, undefined, { pads: [1, 1, 1, 1] }),
    conv(x, wanted, undefined, { pads: [1, 1, 1, 1] }),
  );
  return trainingStep({
    name: 'doubling',
    batch: [x],
    loss: reduceMean(mul(error, error), { keepdims: 0 }),
    parameters: [{ name: 'weight', tensor: weight, initial: new Float32Array(9).fill(first) }],
    optimizer: momentum(),
  });
}

const run: TrainingRun = {
  name: 'finetune',
  step: doubling(),
  budget: { steps: 12 },
  rate: (step, steps) => 0.05 * (1 - step / steps),
  feeds: async step => {
    const random = new Random(step);
    return {
      x: { type: 'float32', dims: [2, 1, 5, 5], data: Float32Array.from({ length: 50 }, () => random.normal()) },
    };
  },
  remedy: 'train something else',
  prefix: 'jobs/j/finetune/abc-',
  checkpointSeconds: 3,
};

/** A clock by which every look costs a second. */
const ticking = () => {
  let time = 0;
  return { now: () => (time += 1000) };
};

const portsFor = (store: ObjectStore): Ports => portsOf({ models, images }, store, ticking());

class Killed extends Error {}

/** Dies at the n-th write, before or after it. */
function dyingStore(store: MemoryStore, n: number, after: boolean): ObjectStore {
  let writes = 0;
  return new Proxy(store, {
    get(target, name) {
      const member = target[name as keyof MemoryStore];
      if (typeof member !== 'function') return member;
      if (name !== 'put') return (member as () => unknown).bind(target);
      return async (key: string, bytes: Uint8Array) => {
        if (++writes < n) return target.put(key, bytes);
        if (after) await target.put(key, bytes);
        throw new Killed();
      };
    },
  });
}

const bytesOf = ({ values, history }: Trained) => [
  [...values].map(([name, data]) => [name, [...data]]),
  new TextDecoder().decode(historyLines(history)),
];

describe('a training run', () => {
  it('learns, and tells every step', async () => {
    const { values, history } = await runTraining(portsFor(new MemoryStore()), run);
    expect(history.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(history.at(-1)!.loss).toBeLessThan(history[0]!.loss / 3);
    expect(history[3]!.rate).toBeCloseTo(0.05 * 0.75);
    expect([...values.keys()]).toEqual(['weight', 'velocity/weight']);
  });

  it('ends in the same bytes wherever it was killed', async () => {
    const whole = bytesOf(await runTraining(portsFor(new MemoryStore()), run));
    for (const after of [false, true])
      for (let n = 1; n <= 6; n++) {
        const store = new MemoryStore();
        await expect(runTraining(portsFor(dyingStore(store, n, after)), run)).rejects.toThrow(Killed);
        expect(bytesOf(await runTraining(portsFor(store), run)), `write ${n}`).toEqual(whole);
      }
  });

  it('goes on from its checkpoint instead of beginning again', async () => {
    const store = new MemoryStore();
    await expect(runTraining(portsFor(dyingStore(store, 3, true)), run)).rejects.toThrow(Killed);
    const asked: number[] = [];
    await runTraining(portsFor(store), {
      ...run,
      feeds: step => {
        asked.push(step);
        return run.feeds(step);
      },
    });
    expect(asked[0]).toBeGreaterThan(2);
    expect(asked.at(-1)).toBe(11);
  });

  it('ends in the same bytes when it is cut after every step', async () => {
    const whole = bytesOf(await runTraining(portsFor(new MemoryStore()), run));
    const ports = portsFor(new MemoryStore());
    const cut = { ...ports, tuning: { ...ports.tuning, sliceSeconds: 0 } };
    let slices = 1;
    for (; slices < 100; slices++) {
      const trained = await runTraining(cut, run).catch(error => error as Error);
      if (!(trained instanceof SliceOver)) {
        expect(bytesOf(trained as Trained)).toEqual(whole);
        break;
      }
    }
    expect(slices).toBe(12);
  });

  it('leaves no checkpoint with numbers that are none at the end of a slice', async () => {
    const ports = portsFor(new MemoryStore());
    const cut = { ...ports, tuning: { ...ports.tuning, sliceSeconds: 0 } };
    await expect(runTraining(cut, { ...run, rate: () => Number.POSITIVE_INFINITY })).rejects.toThrow(
      /a parameter is no finite number at step 1 of 12/,
    );
    expect(await ports.store.get(`${run.prefix}checkpoint.safetensors`)).toBeUndefined();
  });

  it('keeps the old checkpoint where a new one cannot be written', async () => {
    const store = new MemoryStore();
    // The fourth write is the log of the second slice, the third its checkpoint.
    await expect(runTraining(portsFor(dyingStore(store, 3, false)), run)).rejects.toThrow(Killed);
    const kept = await store.get(`${run.prefix}checkpoint.safetensors`);
    expect(kept).toBeDefined();
    await runTraining(portsFor(store), run);
  });

  it('finds an exploding rate at its step and keeps the last good checkpoint', async () => {
    const store = new MemoryStore();
    const exploding = { ...run, budget: { steps: 60 }, rate: (step: number) => (step < 8 ? 0.01 : 1e30) };
    await expect(runTraining(portsFor(store), exploding)).rejects.toThrow(
      /finetune: (the loss|a parameter) is no finite number at step (9|10) of 60 .*the checkpoint after step [3-8] stays; train something else$/,
    );
    const { values } = await runTraining(portsFor(store), { ...exploding, rate: () => 0.01 });
    expect([...values.get('weight')!].every(Number.isFinite)).toBe(true);
  });

  it('refuses the checkpoint of another model', async () => {
    const store = new MemoryStore();
    await runTraining(portsFor(store), run);
    await expect(runTraining(portsFor(store), { ...run, step: doubling(0.2) })).rejects.toThrow(
      /checkpoint of another model than this finetune; remove it/,
    );
  });

  it('turns minutes into steps once, so that a slower machine goes on with the same', async () => {
    const store = new MemoryStore();
    const timed = { ...run, budget: { minutes: 1 } };
    // Each look at the clock is a second: two steps in one second make half a second a step.
    const first = await runTraining(portsFor(store), timed);
    expect(first.history).toHaveLength(120);
    expect(fromJson(await store.get(`${run.prefix}steps.json`).then(bytes => bytes!))).toEqual({ steps: 120 });
    await clearTraining(store, run.prefix);
    await store.put(`${run.prefix}steps.json`, toJson({ steps: 9 }));
    expect((await runTraining(portsFor(store), timed)).history).toHaveLength(9);
  });

  it('does not depend on the trial steps of a budget in minutes', async () => {
    const store = new MemoryStore();
    await store.put(`${run.prefix}steps.json`, toJson({ steps: 120 }));
    const known = await runTraining(portsFor(store), { ...run, budget: { minutes: 1 } });
    const tried = await runTraining(portsFor(new MemoryStore()), { ...run, budget: { minutes: 1 } });
    expect(bytesOf(tried)).toEqual(bytesOf(known));
  });
});
