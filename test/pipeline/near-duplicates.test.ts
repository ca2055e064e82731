/** Near-duplicates of a job in memory, over several blocks and shards, against comparing all pairs one by one. */
import { afterAll, expect, test } from 'vitest';
import { MemoryStore } from '#adapters/local/memory-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { SimilarGroups } from '#core/clustering/similar-groups';
import { unitRows } from '#core/clustering/unit-rows';
import { writeNpy } from '#core/formats/npy';
import type { Plan } from '#core/job/plan';
import { Random } from '#core/random';
import type { EmbeddedImage } from '#pipeline/embed';
import { finishPiece } from '#pipeline/marker';
import { findNearDuplicates, nearDuplicateCosine, readNearDuplicates } from '#pipeline/near-duplicates';
import type { Ports } from '#pipeline/ports';
import { planOf } from './embedded-images.ts';

const models = new OnnxRuntime();
afterAll(() => models.close());

const dimension = 24;
const plan: Plan = { ...planOf(3, 1, {}), images: 0 };

const portsOf = (threads: number, vectorBytes?: number): Ports => ({
  store: new MemoryStore(),
  models,
  images: new SharpCodec(),
  digest: nodeDigest,
  clock: { now: () => 0 },
  log: { progress: () => undefined, note: () => undefined },
  tuning: { threads, ...(vectorBytes !== undefined && { vectorBytes }) },
  place: 'memory',
});

/** Unit vectors; some are others with a little noise, so that they are near-duplicates or just none. */
function drawVectors(count: number): Float32Array {
  const random = new Random(9);
  const data = Float32Array.from({ length: count * dimension }, () => random.normal());
  for (let row = 1; row < count; row++) {
    if (random.uniform() > 0.02) continue;
    const other = random.integer(row);
    const noise = 0.3 * random.uniform();
    for (let i = 0; i < dimension; i++)
      data[row * dimension + i] = data[other * dimension + i]! + noise * random.normal();
  }
  return unitRows(data, count, dimension);
}

/** The markers and vectors of the shards: every 50th file is no image, every 70th a copy of the one before. */
async function fill(ports: Ports, vectors: Float32Array, count: number): Promise<string[]> {
  const distinct: string[] = [];
  for (const [s, shard] of plan.shards.entries()) {
    const images: EmbeddedImage[] = [];
    const rows: number[] = [];
    for (let i = s; i < count; i += plan.shards.length) {
      const name = `${shard}/${i}.jpg`;
      if (images.length % 50 === 49) images.push({ name: `${name}.txt`, state: 'rejected', reason: 'no image' });
      const read = { name, state: 'read', sha256: `${i}`, width: 1, height: 1, notes: [], rows: 0 } as const;
      images.push(read);
      rows.push(i);
      distinct[i] = name;
      if (i % 70 !== 0) continue;
      images.push({ ...read, name: `${name}-copy.jpg` });
      rows.push(i);
    }
    const data = new Float32Array(rows.length * dimension);
    rows.forEach((row, at) => {
      data.set(vectors.subarray(row * dimension, (row + 1) * dimension), at * dimension);
    });
    const outputs = { 'pooled.npy': writeNpy({ kind: 'float32', data, shape: [rows.length, dimension] }) };
    await finishPiece(ports, plan, 'embed', shard, outputs, { images }, 0);
  }
  return distinct;
}

test.each([
  ['in one part', 2 ** 27, undefined],
  ['in blocks that are kept', 1, undefined],
  ['in blocks that are read again', 1, 0],
])(
  'every pair above the threshold ends in one group, vectors %s; copies and other files take no part',
  async (_, bytes, vectorBytes) => {
    const count = 2300;
    const vectors = drawVectors(count);
    const ports = portsOf(2, vectorBytes);
    const names = await fill(ports, vectors, count);
    await findNearDuplicates(ports, plan, bytes);
    const rows = await readNearDuplicates(ports.store, plan);

    const expected = new SimilarGroups();
    for (let a = 0; a < count; a++) {
      for (let b = 0; b < a; b++) {
        let cosine = 0;
        for (let i = 0; i < dimension; i++) cosine += vectors[a * dimension + i]! * vectors[b * dimension + i]!;
        if (cosine >= nearDuplicateCosine) expected.link(a, b, cosine);
      }
    }
    const members = expected.groups().map(group => group.members.map(member => names[member]!).sort());
    expect(members.length).toBeGreaterThan(15);
    const found = new Map<number, string[]>();
    for (const { group, image } of rows) found.set(group, [...(found.get(group) ?? []), image].sort());
    expect([...found.values()].sort()).toEqual(members.sort());
    const strongest = new Map(
      expected.groups().flatMap(group => group.members.map((member, i) => [names[member]!, group.strongest[i]!])),
    );
    for (const { image, like, cosine } of rows) {
      expect(like).toBe(names[strongest.get(image)!.to]);
      expect(cosine).toBeCloseTo(strongest.get(image)!.strength, 5);
    }
  },
);

test('the number of threads changes no byte; nothing to compare is no error', async () => {
  const vectors = drawVectors(1500);
  const texts = [];
  for (const threads of [1, 3]) {
    const ports = portsOf(threads);
    await fill(ports, vectors, 1500);
    await findNearDuplicates(ports, plan);
    texts.push(await readNearDuplicates(ports.store, plan));
  }
  expect(texts[0]!.length).toBeGreaterThan(0);
  expect(texts[1]).toEqual(texts[0]);
  const ports = portsOf(1);
  await fill(ports, vectors, 1);
  await findNearDuplicates(ports, plan);
  expect(await readNearDuplicates(ports.store, plan)).toEqual([]);
});
