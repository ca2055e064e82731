/** Which images are clustered: copies left out, a sample that does not depend on the cut, and what is too little. */
import { afterAll, describe, expect, test } from 'vitest';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { catalog, clusterRows, drawnImages, readCatalog } from '#pipeline/catalog';
import type { VectorSource } from '#pipeline/vector-source';
import { type EmbeddedImage, embeddedPorts, planOf } from './embedded-images.ts';

const models = new OnnxRuntime();
afterAll(() => models.close());

/** Image i has i % 3 vectors [i, number]; every tenth is a copy of the one before. */
const images: EmbeddedImage[] = Array.from({ length: 60 }, (_, i) => ({
  name: `${String(i).padStart(3, '0')}.jpg`,
  sha256: i % 10 === 9 ? `${i - 1}` : `${i}`,
  pooled: Float32Array.of(i, -1),
  rows: Array.from({ length: i % 3 }, (_, row) => Float32Array.of(i, row)),
}));

async function firstNumbers(source: VectorSource): Promise<number[]> {
  const found: number[] = [];
  for await (const block of source.blocks()) for (let i = 0; i < block.length; i += 2) found.push(block[i]!);
  return found;
}

async function clustered(settings: object, perShard: number): Promise<number[]> {
  const plan = planOf(images.length, perShard, settings);
  const ports = await embeddedPorts(models, plan, images, perShard);
  await catalog(ports, plan);
  const known = await readCatalog(ports.store, plan);
  const found = await firstNumbers(await clusterRows(ports.store, plan, known, 2));
  const streamed = await clusterRows(ports.store, plan, known, 2, 0);
  // Read anew in every pass.
  for (let pass = 0; pass < 2; pass++) expect(await firstNumbers(streamed)).toEqual(found);
  expect(found).toHaveLength(known.rows);
  const drawn = await drawnImages(ports.store, plan, known, 1000);
  const pooled = Array.from({ length: drawn.count }, (_, i) => drawn.data[2 * i]!);
  // The same images, by their pooled vectors; those without rows too.
  expect(pooled.filter(i => i % 3 > 0).sort((a, b) => a - b)).toEqual([...new Set(found)]);
  expect(drawn.count).toBe(known.sample?.images ?? known.counts.read);
  const few = await drawnImages(ports.store, plan, known, 5);
  expect([...few.data]).toEqual([...drawn.data.subarray(0, 10)]);
  return found;
}

const all = images.flatMap((image, i) => (i % 10 === 9 ? [] : image.rows.map(() => i)));

describe('without a sample', () => {
  test('all vectors but those of copies, in path order', async () => {
    expect(await clustered({}, 7)).toEqual(all);
  });
});

describe('with --sample', () => {
  test('so many images, all vectors of each, whatever the cut into shards', async () => {
    const found = await clustered({ sample: 20 }, 60);
    expect(found).toEqual(all.filter(i => found.includes(i)));
    expect(await clustered({ sample: 20 }, 7)).toEqual(found);
    expect(new Set(found).size).toBeGreaterThan(8);
    expect(await clustered({ sample: 20, seed: 1 }, 60)).not.toEqual(found);
  });

  test('as many as there are is no sample', async () => {
    expect(await clustered({ sample: 54 }, 60)).toEqual(all);
    expect(await clustered({ sample: 1000 }, 60)).toEqual(all);
  });

  test('a larger sample holds the smaller one', async () => {
    const [few, more] = [await clustered({ sample: 10 }, 60), await clustered({ sample: 30 }, 60)];
    expect(few.every(i => more.includes(i))).toBe(true);
  });
});

test.each([
  [
    { clusters: 55 },
    '55 clusters need at least as many images, but only 54 different ones could be read; ask for --clusters 54 or fewer',
  ],
  [
    { clusters: 12, sample: 10 },
    '12 clusters need at least as many images, but --sample 10 clusters fewer; raise --sample or lower --clusters',
  ],
])('%o is refused', async (settings, message) => {
  const plan = planOf(images.length, 60, settings);
  const ports = await embeddedPorts(models, plan, images, 60);
  await expect(catalog(ports, plan)).rejects.toThrow(message);
});
