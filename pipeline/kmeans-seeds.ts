/** First centroids for k-means over vectors that only pass by in blocks. */
import { centroidFeeds } from '#core/clustering/assign-graph';
import { type Centroids, toCentroids } from '#core/clustering/kmeans';
import type { Metric } from '#core/clustering/metric';
import { acceptDraws, randomRows, WeightedDraws } from '#core/clustering/seeding';
import type { Random } from '#core/random';
import { passOver } from './assign-vectors.ts';
import type { Model } from './ports.ts';
import { gatherRows, type VectorSource } from './vector-source.ts';

/** Different rows, every choice equally likely. */
export async function randomSeeds(
  source: VectorSource,
  clusters: number,
  metric: Metric,
  random: Random,
): Promise<Centroids> {
  return toCentroids(await gatherRows(source, randomRows(source.count, clusters, random)), metric);
}

/** Draws per pass: about half of them are accepted, so that the centroids about double with every pass. */
const drawsFor = (centroids: number) => Math.min(1024, Math.max(16, 2 * centroids));

/**
 * Exact k-means++ in a dozen passes instead of one per centroid: each pass updates every vector's distance to its nearest
 * centroid and draws many vectors by it, which are then thinned out (`acceptDraws`).
 * @param model of `assignGraph`
 */
export async function plusPlusSeeds(
  source: VectorSource,
  clusters: number,
  metric: Metric,
  random: Random,
  { model, origin, inFlight }: { model: Model; origin: Float64Array; inFlight: number },
): Promise<Centroids> {
  const { dimension } = source;
  const seeds = { data: new Float32Array(clusters * dimension), count: 0, dimension };
  // What they are made of is float32 too.
  const nearest = new Float32Array(source.count).fill(Number.POSITIVE_INFINITY);
  let fresh = (await gatherRows(source, randomRows(source.count, 1, random))).data;
  for (;;) {
    seeds.data.set(fresh, seeds.count * dimension);
    seeds.count += fresh.length / dimension;
    if (seeds.count === clusters) return toCentroids(seeds, metric);
    const draws = new WeightedDraws(drawsFor(seeds.count), dimension, random);
    const added = toCentroids({ data: fresh, count: fresh.length / dimension, dimension }, metric);
    await passOver(
      source,
      model,
      centroidFeeds(added, origin, metric, 2),
      ({ block, firstRow, distances }) => {
        const known = nearest.subarray(firstRow, firstRow + block.length / dimension);
        for (let i = 0; i < known.length; i++) known[i] = Math.min(known[i]!, distances[2 * i]!);
        draws.offer(block, known);
      },
      { origin, inFlight },
    );
    fresh = acceptDraws(draws, clusters - seeds.count, metric, random);
    // Every vector coincides with a centroid: there are fewer different vectors than clusters, and any will do.
    if (fresh.length === 0) {
      fresh = (await gatherRows(source, randomRows(source.count, clusters - seeds.count, random))).data;
    }
  }
}
