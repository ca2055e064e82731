/** A k-means run that is cut or killed ends in the bytes of one that was not. */
import { afterAll, describe, expect, it } from 'vitest';
import { MemoryStore } from '#adapters/local/memory-store';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { type KmeansOptions, type KmeansResult, runKmeans } from '#pipeline/kmeans';
import { KmeansCheckpoints } from '#pipeline/kmeans-checkpoints';
import { SliceOver } from '#pipeline/slices';
import { blocksOf } from '#pipeline/vector-source';
import { firstRows, heaps } from '../core/clustering/plain-kmeans.ts';

const models = new OnnxRuntime();
afterAll(() => models.close());

const key = 'jobs/j/cluster/abc-restart-000.checkpoint.tar';
const points = heaps(900, 8, 7, 0.8, 4);
// All first centroids in one heap, of which most turn out to be the same point: clusters go empty and are split.
const same = { ...firstRows(points, 12), data: new Float32Array(12 * 8).fill(0.5) };
const cases: Record<string, KmeansOptions> = {
  euclidean: { clusters: 12, metric: 'euclidean', seed: 3, tolerance: 0, iterations: 15 },
  cosine: { clusters: 12, metric: 'cosine', seed: 3, tolerance: 0, iterations: 15 },
  'with empty clusters': { clusters: 12, metric: 'euclidean', seed: 3, tolerance: 0, iterations: 15, seeding: same },
};

/** A clock by which every look costs a second. */
const ticking = (step: number) => {
  let time = 0;
  return { now: () => (time += step) };
};

const bytesOf = ({ centroids, objective, converged, iterations }: KmeansResult) => ({
  centroids: [...centroids.data],
  objective,
  converged,
  // Bounds begin anew with every slice: how many vectors are compared is no part of the result.
  iterations: iterations.map(({ compared: _, ...rest }) => rest),
});

describe.each(Object.entries(cases))('%s', (_, options) => {
  const run = (keeper?: KmeansCheckpoints) =>
    runKmeans(blocksOf(points, 64), { ...options, keeper }, { models, tuning: { threads: 2 } });

  it('ends in the same bytes when it is cut after every iteration', async () => {
    const whole = await run();
    const store = new MemoryStore();
    const ports = { store, clock: ticking(0), tuning: { threads: 2, sliceSeconds: 0 } };
    for (let slices = 1; ; slices++) {
      const keeper = new KmeansCheckpoints(ports, key);
      const found = await run(keeper).catch((error: unknown) => error);
      if (found instanceof SliceOver) continue;
      expect(bytesOf(found as KmeansResult)).toEqual(bytesOf(whole));
      expect(slices).toBe(whole.iterations.length);
      await keeper.clear();
      break;
    }
    expect(whole.iterations.length).toBeGreaterThan(3);
    if (options.seeding) expect(whole.iterations.filter(({ split }) => split > 0).length).toBeGreaterThan(1);
    expect(await store.head(key)).toBeUndefined();
  });

  it('goes on from its last checkpoint when it is killed', async () => {
    const whole = await run();
    const store = new MemoryStore();
    // Every look at the clock is three minutes: a checkpoint every second iteration.
    const ports = () => ({ store, clock: ticking(180_000), tuning: { threads: 2 } });
    const mortal = new KmeansCheckpoints(ports(), key);
    const keep = mortal.keep.bind(mortal);
    mortal.keep = async position => {
      await keep(position);
      if (position.iterations.length === 3) throw new Error('killed');
    };
    await expect(run(mortal)).rejects.toThrow('killed');
    expect(await store.head(key)).toBeDefined();
    expect(bytesOf(await run(new KmeansCheckpoints(ports(), key)))).toEqual(bytesOf(whole));
  });

  it('asks for nothing but the checkpoint where the run is short', async () => {
    const asked: string[] = [];
    const store = new Proxy(new MemoryStore(), {
      get: (target, name) => {
        asked.push(String(name));
        return (target[name as keyof MemoryStore] as () => unknown).bind(target);
      },
    });
    const keeper = new KmeansCheckpoints({ store, clock: ticking(0), tuning: { threads: 2 } }, key);
    await run(keeper);
    await keeper.clear();
    expect(asked).toEqual(['get']);
  });
});
