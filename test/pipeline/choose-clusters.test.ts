/** `--clusters auto` on vectors whose number of heaps is known. */
import { afterAll, describe, expect, test } from 'vitest';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { nextWave, waves } from '#core/job/progress';
import { catalog } from '#pipeline/catalog';
import { candidate, choose, clustersOf, readChoice } from '#pipeline/choose-clusters';
import { heaps, rowsOf } from '../core/clustering/plain-kmeans.ts';
import { embeddedPorts, planOf } from './embedded-images.ts';

const models = new OnnxRuntime();
afterAll(() => models.close());

/** The choice for so many images in so many heaps. */
async function chosen(count: number, parts: number, noise: number, perShard: number, settings: object = {}) {
  const plan = planOf(count, perShard, { clusters: 'auto', ...settings });
  const vectors = rowsOf(heaps(count, 10, parts, noise, 3));
  const images = vectors.map((vector, i) => {
    const row = Float32Array.from(vector);
    return { name: `${i}.jpg`, sha256: `${i}`, pooled: row, rows: [row] };
  });
  const ports = await embeddedPorts(models, plan, images, perShard);
  await catalog(ports, plan);
  for (const piece of waves(plan).flatMap(({ pieces }) => pieces)) {
    if (piece.startsWith('candidate-')) await candidate(ports, plan, piece);
  }
  await choose(ports, plan);
  expect(await clustersOf(ports.store, plan)).toBe((await readChoice(ports.store, plan))!.clusters);
  return (await readChoice(ports.store, plan))!;
}

describe('the number of heaps is found', () => {
  test.each([
    [3, 120],
    [8, 300],
  ])('%i in %i images', async (parts, count) => {
    const { clusters, curve } = await chosen(count, parts, 0.15, count);
    expect(clusters).toBe(parts);
    const point = curve.find(one => one.clusters === parts)!;
    expect(point.agreement).toBeGreaterThan(0.8);
    expect(point.scores).toHaveLength(5);
    for (const { agreement, explained, score } of curve) {
      expect(agreement).toBeLessThanOrEqual(1);
      expect(explained).toBeLessThanOrEqual(1);
      // The curve is flat around the right number, but nothing beats it clearly.
      expect(score).toBeLessThanOrEqual(1.02 * point.score);
    }
  });
});

test('the same curve, number by number, whatever the cut into shards', async () => {
  expect(await chosen(120, 4, 0.4, 50)).toEqual(await chosen(120, 4, 0.4, 120));
  expect(await chosen(120, 4, 0.4, 120, { seed: 1 })).not.toEqual(await chosen(120, 4, 0.4, 120));
});

test('a sample bounds the candidates; too few images to try anything are cut in two', async () => {
  const { curve } = await chosen(120, 4, 0.2, 120, { sample: 25 });
  expect(curve.map(({ clusters }) => clusters)).toEqual([2, 3, 4, 5]);
  expect(await chosen(3, 2, 0.2, 3)).toEqual({ clusters: 2, curve: [] });
});

test('candidates and choice are waves of their own, between the catalog and the restarts', () => {
  const plan = planOf(20, 20, { clusters: 'auto', restarts: 2 });
  const pieces = waves(plan).map(wave => `${wave.stage}: ${wave.pieces.join(' ')}`);
  expect(pieces.slice(1, 8)).toEqual([
    'embed: 000000',
    'embed: near-duplicates',
    'cluster: catalog',
    'cluster: candidate-00002 candidate-00003 candidate-00004',
    'cluster: choice',
    'cluster: restart-000 restart-001',
    'cluster: best',
  ]);
  const done = new Set([
    'attend/head',
    'embed/000000',
    'embed/near-duplicates',
    'cluster/catalog',
    'cluster/candidate-00003',
  ]);
  expect(nextWave(plan, done)).toEqual({ stage: 'cluster', pieces: ['candidate-00002', 'candidate-00004'] });
});
