/** Rows of clusters.csv in one table, and in one per shard where there are too many images for one. */
import { afterAll, expect, it } from 'vitest';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { parseClustersCsv } from '#core/formats/clusters-csv';
import type { Plan } from '#core/job/plan';
import { Random } from '#core/random';
import {
  isOneTable,
  mostInOneTable,
  openClusterTable,
  readClusters,
  shardTableKey,
  writeClusterTables,
} from '#pipeline/cluster-table';
import { readObject } from '#pipeline/documents';
import { finishPiece } from '#pipeline/marker';
import { embeddedPorts, planOf } from './embedded-images.ts';

const models = new OnnxRuntime();
afterAll(() => models.close());

const random = new Random(3);
const vectorOf = () => Float32Array.from({ length: 4 }, () => random.normal());
const images = Array.from({ length: 7 }, (_, i) => ({
  name: `${i}.jpg`,
  sha256: `${i}`,
  pooled: vectorOf(),
  rows: [],
}));
const plan = planOf(images.length, 3, { clusters: 2 });
const centroids = { data: Float32Array.from([1, 0, 0, 0, 0, 1, 0, 0]), count: 2, dimension: 4 };
/** So many that distances are left to the model runner, too. */
const huge: Plan = { ...plan, images: 1000 * mostInOneTable };

it('is the same in parts, told shard by shard, and only the distances are a little less exact', async () => {
  const ports = await embeddedPorts(models, plan, images, 3);
  const csv = (await writeClusterTables(ports, plan, centroids))!;
  await finishPiece(ports, plan, 'cluster', 'best', { csv }, {}, 0);
  const whole = parseClustersCsv(new TextDecoder().decode(csv));
  expect(await readClusters(ports.store, plan)).toEqual(whole);
  const inOrder = await openClusterTable(ports.store, plan);
  const told: string[][] = [];
  for (const names of [['0.jpg', 'unreadable', '1.jpg'], ['unreadable too'], ['2.jpg', '3.jpg']])
    told.push([...(await inOrder('', new Set(names))).keys()]);
  expect(told).toEqual([['0.jpg', '1.jpg'], [], ['2.jpg', '3.jpg']]);

  expect([isOneTable(plan), isOneTable(huge)]).toEqual([true, false]);
  expect(await writeClusterTables(ports, huge, centroids)).toBeUndefined();
  const table = await openClusterTable(ports.store, huge);
  expect([...(await table('000001', new Set())).keys()]).toEqual(['3.jpg', '4.jpg', '5.jpg']);
  const rows = await readClusters(ports.store, huge);
  expect(rows.map(({ image, cluster }) => [image, cluster])).toEqual(
    whole.map(({ image, cluster }) => [image, cluster]),
  );
  rows.forEach(({ distance, confidence }, i) => {
    expect(distance).toBeCloseTo(whole[i]!.distance, 4);
    expect(confidence).toBeCloseTo(whole[i]!.confidence, 4);
  });
  expect((await readObject(ports.store, shardTableKey(huge, '000002'))).length).toBeGreaterThan(20);
});
