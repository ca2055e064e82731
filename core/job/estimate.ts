/** What a job will take before it is begun: hours and dollars, from a table of prices and rates that are assumed or measured. */
import { shardSize } from './plan.ts';
import { type InstanceType, prices } from './prices.ts';
import { jobRequests, type RequestCounts, usualPartBytes } from './requests.ts';

/** Arithmetic of one forward pass at 256 pixels, in 10⁹ operations (twice the multiply-adds), of networks people bring. */
export const networkCosts = {
  'filter-bank': 0.3,
  mobilenetv2: 0.8,
  resnet18: 4.8,
  resnet50: 10.8,
  'vit-small': 12,
  'vit-base': 46,
} as const;

export type NetworkName = keyof typeof networkCosts;

/**
 * Rates nobody has measured on a GPU yet: a third of the data sheet's arithmetic, 80 decoded photos a second and core (of about
 * 110 KB; measured on two cores), and in `label` 100 images a second for what stays on one thread (measured: 10 ms an image).
 */
const share = 0.33;
const decodedPerCore = 80;
const usualImageBytes = 110_000;
const labelThread = 100;
/** Booting a machine, fetching the program, attending and clustering: not from images. Assumed. */
const startHours = 0.25;

export interface EstimateQuestion {
  readonly images: number;
  /** Mean size of a file. */
  readonly imageBytes: number;
  /** Operations of one pass in 10⁹; a name of `networkCosts` stands for its own. */
  readonly gigaflops: number;
  readonly instance: InstanceType;
  readonly market: 'spot' | 'on-demand';
  readonly machines: number;
  /** Images a second of one machine in each pass, where they were measured: nothing is assumed then. */
  readonly measured?: { readonly embed: number; readonly label: number } | undefined;
  readonly packed: boolean;
  /** Numbers per vector. */
  readonly dimension: number;
}

export interface Estimate {
  /** Images a second of one machine. */
  readonly rates: {
    readonly embed: number;
    readonly label: number;
    readonly limit: 'decoding' | 'network' | 'measured';
  };
  readonly machineHours: number;
  readonly hours: number;
  readonly requests: RequestCounts;
  readonly dollars: {
    readonly machines: number;
    readonly requests: number;
    readonly upload: number;
    readonly functions: number;
    readonly total: number;
    /** Keeping images, vectors and label maps for a month. */
    readonly storagePerMonth: number;
  };
}

/** A label map takes about so much, packed as PNG. */
const labelBytes = 3000;
const vectorsPerImage = 4;
export const imagesPerTar = (imageBytes: number): number =>
  Math.max(1, Math.min(4096, Math.floor((512 * 2 ** 20) / imageBytes)));

export function estimate(question: EstimateQuestion): Estimate {
  const { images, imageBytes, instance, market, machines, packed, dimension } = question;
  const rates = ratesOf(question);
  const machineHours = (images / rates.embed + images / rates.label) / 3600 + machines * startHours;
  const machine = prices.instances[instance];
  const shards = Math.ceil(images / shardSize(images));
  const perTar = packed ? imagesPerTar(imageBytes) : 1;
  const embeddedBytes = vectorsPerImage * dimension * 4;
  const requests = jobRequests({
    images,
    shards,
    perTar,
    embeddedBytes,
    labelBytes,
    partBytes: usualPartBytes,
    imagesPerSecond: (rates.embed + rates.label) / 2,
  });
  const archives = images / perTar;
  const uploads = packed ? archives * (1 + Math.ceil((perTar * imageBytes) / usualPartBytes) + 2) : images;
  const dollars = {
    machines: machineHours * (market === 'spot' ? machine.spot : machine.onDemand),
    requests: requestDollars(requests),
    upload: (uploads * prices.s3Put) / 1e6,
    functions: functionDollars(images, shards),
  };
  const total = dollars.machines + dollars.requests + dollars.upload + dollars.functions;
  const gigabytes = (images * (imageBytes + embeddedBytes + dimension * 4 + labelBytes)) / 1e9;
  return {
    rates,
    machineHours,
    hours: machineHours / machines,
    requests,
    dollars: { ...dollars, total, storagePerMonth: gigabytes * prices.s3Storage },
  };
}

function ratesOf({ imageBytes, gigaflops, instance, measured }: EstimateQuestion): Estimate['rates'] {
  if (measured) return { ...measured, limit: 'measured' };
  const { cores, teraflops } = prices.instances[instance];
  const decoding = (cores * decodedPerCore * usualImageBytes) / Math.max(imageBytes, usualImageBytes / 4);
  const network = (share * teraflops * 1000) / gigaflops;
  const embed = Math.min(decoding, network);
  return { embed, label: Math.min(embed, labelThread), limit: decoding < network ? 'decoding' : 'network' };
}

export const requestDollars = ({ list, get, put, sqs }: RequestCounts): number =>
  (list * prices.s3List + get * prices.s3Get + put * prices.s3Put + sqs * prices.sqs) / 1e6;

/** Planning and publishing go over everything once, `advance` over the markers of a batch of pieces. Memory and seconds assumed. */
function functionDollars(images: number, shards: number): number {
  const seconds = images / 50_000 + shards / 50 + 60;
  return seconds * 3.5 * prices.lambdaGigabyteSecond + ((shards / 50 + 10) * prices.lambda) / 1e6;
}

/** Dollars of machine time per million images and pass at a rate, as in the table of docs/cost.md. */
export const dollarsPerMillion = (dollarsPerHour: number, imagesPerSecond: number): number =>
  (dollarsPerHour * 1e6) / imagesPerSecond / 3600;
