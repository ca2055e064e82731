/** The rows of `clusters.csv`: each image's nearest centroid. One text for most jobs, one per shard where it would not fit into memory. */
import { nearestCentroids } from '#core/clustering/nearest-centroid';
import { unitRows } from '#core/clustering/unit-rows';
import type { VectorSet } from '#core/clustering/vector-set';
import {
  type ClusterRow,
  clusterLine,
  clustersCsvRows,
  clustersHeader,
  parseClustersCsv,
} from '#core/formats/clusters-csv';
import { readNpyOf } from '#core/formats/npy';
import { TextParts } from '#core/formats/text-parts';
import type { Plan } from '#core/job/plan';
import type { ClusterId } from '#core/labels/label-id';
import { assignVectors } from './assign-vectors.ts';
import { runOf } from './backbone.ts';
import { readObject } from './documents.ts';
import type { EmbedSummary } from './embed.ts';
import { outputKey, readMarker } from './marker.ts';
import type { ObjectStore, Ports } from './ports.ts';
import { blocksOf, rowsPerBlock } from './vector-source.ts';

/** A text of so many rows is some hundreds of MB: half of what a string can hold. */
export const mostInOneTable = 4_000_000;
/** Multiplications of a whole job up to which distances are computed plainly, in double precision. */
const mostPlain = 2e10;

export const isOneTable = ({ images }: Plan): boolean => images <= mostInOneTable;

/** The table of one shard, where there is one for each. */
export const shardTableKey = (plan: Plan, shard: string): string => outputKey(plan, 'cluster', `best-${shard}`, 'csv');

/** @returns the one table; undefined where the shards' tables are stored instead */
export async function writeClusterTables(
  ports: Ports,
  plan: Plan,
  centroids: VectorSet,
): Promise<Uint8Array | undefined> {
  // The method compares with the plain means (2.4), the recipe with centroids of length one.
  const { data, count, dimension } = centroids;
  const compared = runOf(plan).unit === 'image' ? centroids : { ...centroids, data: unitRows(data, count, dimension) };
  let table = new TextParts().add(clustersHeader);
  for (const shard of plan.shards) {
    for (const row of await rowsOfShard(ports, plan, shard, compared)) table.add(clusterLine(row));
    if (isOneTable(plan)) continue;
    await ports.store.putNew(shardTableKey(plan, shard), table.bytes());
    table = new TextParts().add(clustersHeader);
  }
  return isOneTable(plan) ? table.bytes() : undefined;
}

/** One row per image that could be read, duplicates included: the nearest centroid of its pooled vector. */
async function rowsOfShard(ports: Ports, plan: Plan, shard: string, centroids: VectorSet): Promise<ClusterRow[]> {
  const { summary } = await readMarker<EmbedSummary>(ports.store, plan, 'embed', shard);
  const read = summary.images.filter(image => image.state === 'read');
  if (!read.length) return [];
  const { data, shape } = readNpyOf(
    'float32',
    await readObject(ports.store, outputKey(plan, 'embed', shard, 'pooled.npy')),
  );
  const pooled: VectorSet = { data: Float32Array.from(data), count: shape[0]!, dimension: shape[1]! };
  const isPlain = plan.images * centroids.count * centroids.dimension <= mostPlain;
  const { clusters, distances, seconds } = isPlain
    ? nearestCentroids(pooled, centroids, 'euclidean')
    : await assignVectors(blocksOf(pooled, rowsPerBlock(centroids.count)), centroids, 'euclidean', ports);
  return read.map(({ name }, i) => {
    const distance = Math.max(0, distances[i]!);
    const confidence = seconds[i]! > 0 ? 1 - Math.sqrt(distance / seconds[i]!) : 0;
    return { image: name, cluster: clusters[i] as ClusterId, distance: Math.sqrt(distance), confidence };
  });
}

/** Rows of a shard's images by name. Shards are asked for in their order. */
export type ClusterTable = (shard: string, names: ReadonlySet<string>) => Promise<ReadonlyMap<string, ClusterRow>>;

/** A finished job's rows. */
export async function openClusterTable(store: ObjectStore, plan: Plan): Promise<ClusterTable> {
  if (!isOneTable(plan)) {
    return async shard => {
      const rows = parseClustersCsv(await readText(store, shardTableKey(plan, shard)));
      return new Map(rows.map(row => [row.image, row]));
    };
  }
  const rows = clustersCsvRows(await readText(store, outputKey(plan, 'cluster', 'best', 'csv')));
  let next = rows.next();
  return async (_shard, names) => {
    const own = new Map<string, ClusterRow>();
    for (; !next.done && names.has(next.value.image); next = rows.next()) own.set(next.value.image, next.value);
    return own;
  };
}

const readText = async (store: ObjectStore, key: string): Promise<string> =>
  new TextDecoder().decode(await readObject(store, key));

/** All rows of a finished job, which must fit into memory. */
export async function readClusters(store: ObjectStore, plan: Plan): Promise<ClusterRow[]> {
  const keys = isOneTable(plan)
    ? [outputKey(plan, 'cluster', 'best', 'csv')]
    : plan.shards.map(shard => shardTableKey(plan, shard));
  const rows: ClusterRow[] = [];
  for (const key of keys) for (const row of clustersCsvRows(await readText(store, key))) rows.push(row);
  return rows;
}
