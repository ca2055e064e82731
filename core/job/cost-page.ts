/** The tables of docs/cost.md, computed from the prices: a test holds the page to them. */
import { dollarsPerMillion, estimate, imagesPerTar, networkCosts, requestDollars } from './estimate.ts';
import { shardSize } from './plan.ts';
import { instanceTypes, prices } from './prices.ts';
import { jobRequests, usualPartBytes } from './requests.ts';

const rates = [50, 100, 200, 400];
const sizes = [1_200_000, 100_000_000];
const imageBytes = 110_000;

const table = (rows: readonly (readonly string[])[]): string =>
  [rows[0]!, rows[0]!.map(() => '---'), ...rows.slice(1)].map(cells => `| ${cells.join(' | ')} |`).join('\n');

const money = (dollars: number): string => `$${dollars.toFixed(2)}`;
const grouped = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ',');

/** Dollars per million images and pass, on demand / Spot. */
export function machineTable(): string {
  const head = ['instance', ...rates.map(rate => `${rate}/s`)];
  const rows = instanceTypes.map(name => {
    const { gpu, gpuMemory, onDemand, spot } = prices.instances[name];
    return [
      `${name} (${gpu} ${gpuMemory} GB)`,
      ...rates.map(
        rate => `${dollarsPerMillion(onDemand, rate).toFixed(2)} / ${dollarsPerMillion(spot, rate).toFixed(2)}`,
      ),
    ];
  });
  return table([head, ...rows]);
}

/** Dollars for requests, by how the images lie in the bucket. */
export function requestTable(): string {
  const head = ['layout', ...sizes.map(size => `${grouped(size)} images`)];
  const layouts = [
    ['one object and one message per image, everywhere', perImage],
    ['loose images, work and results per shard', (images: number) => looseUpload(images) + perShard(images, 1)],
    ['tar archives', (images: number) => packedUpload(images) + perShard(images, imagesPerTar(imageBytes))],
  ] as const;
  return table([head, ...layouts.map(([name, cost]) => [name, ...sizes.map(size => money(cost(size)))])]);
}

/** Upload, two reads, two results and two markers, and two messages sent, received and deleted (sent in batches of ten). */
const perImage = (images: number): number =>
  requestDollars({ list: images / 1000, get: 2 * images, put: 5 * images, sqs: 2 * 2.1 * images });
const looseUpload = (images: number): number => (images * prices.s3Put) / 1e6;
const packedUpload = (images: number): number =>
  (images / imagesPerTar(imageBytes)) * (1 + 4 + 2) * (prices.s3Put / 1e6);

const perShard = (images: number, perTar: number): number =>
  requestDollars(
    jobRequests({
      images,
      shards: Math.ceil(images / shardSize(images)),
      perTar,
      embeddedBytes: 4 * 384 * 4,
      labelBytes: 3000,
      partBytes: usualPartBytes,
      imagesPerSecond: 100,
    }),
  );

/** Whole jobs, as `selflabel estimate` has them. */
export function jobTable(): string {
  const head = ['images', 'instance', 'machines', 'hours', 'machine dollars', 'all', 'storage a month'];
  const rows = [50_000, ...sizes].flatMap(images =>
    instanceTypes.map(instance => {
      const machines = images > 10_000_000 ? 50 : images > 100_000 ? 4 : 1;
      const { hours, dollars } = estimate({
        images,
        imageBytes,
        dimension: 384,
        gigaflops: networkCosts['vit-small'],
        instance,
        market: 'spot',
        machines,
        packed: true,
      });
      return [
        grouped(images),
        instance,
        String(machines),
        hours.toFixed(1),
        money(dollars.machines),
        money(dollars.total),
        money(dollars.storagePerMonth),
      ];
    }),
  );
  return table([head, ...rows]);
}

export const costTables = { machines: machineTable, requests: requestTable, jobs: jobTable } as const;
