/** How many requests a job makes of S3 and SQS: counted per shard, so that a bill is known before it comes. */
import { listingBlock } from './plan.ts';

export interface RequestCounts {
  readonly list: number;
  readonly get: number;
  readonly put: number;
  /** Sent, received, extended and deleted messages, in batches where there are batches. */
  readonly sqs: number;
}

/** Larger objects are written and read in parts of this size. */
export const usualPartBytes = 256 * 2 ** 20;

/**
 * What the stages ask of S3 per shard, for a job without masks, with `sample` and packed images, when every object is one
 * part and no image a copy of another. A test counts a real job and compares.
 */
export const shardRequests = {
  attend: { get: 1, put: 0 },
  /** Of the reads one is the images. */
  embed: { get: 9, put: 3 },
  nearDuplicates: { get: 2, put: 0 },
  catalog: { get: 3, put: 0 },
  best: { get: 2, put: 0 },
  /** Of the reads one is the images. */
  label: { get: 8, put: 2 },
  publish: { get: 6, put: 0 },
} as const;

/** Above so many images the receipt's lists are one object per shard. */
const listedAbove = 100_000;
/** Whatever the number of shards: the sample of `attend` twice, ten restarts, the model. */
const fixedRequests = { get: 400, put: 50 } as const;
/** The report shows nine photos of every class, each read by itself and written with its labels. */
const classRequests = { get: 9, put: 18 } as const;
/** A piece's messages: received, deleted, "finished" sent, and that received and deleted in batches of ten. */
const messagesPerPiece = 3 + 2 / 10;
/** Seconds between two signs of life while a piece is worked on: one for it, one for the piece that waits behind it. */
const heartbeatSeconds = 200;
const heldMessages = 2;

export interface Layout {
  readonly images: number;
  readonly shards: number;
  /** Images per tar; 1: loose. */
  readonly perTar: number;
  /** Bytes that `embed` and `label` write per image. */
  readonly embeddedBytes: number;
  readonly labelBytes: number;
  /** Size of the parts of large objects. */
  readonly partBytes: number;
  /** Images a second in one pass, for the heartbeats. */
  readonly imagesPerSecond: number;
}

/** What the report's pictures add. */
export const reportRequests = (classes: number): RequestCounts => ({
  list: 1,
  get: classes * classRequests.get,
  put: classes * classRequests.put,
  sqs: 0,
});

/** Of the whole job without the report's pictures; the upload is not in it. */
export function jobRequests(layout: Layout): RequestCounts {
  const parts = [planRequests(layout), stageRequests(layout), advanceRequests(layout)];
  const of = (kind: keyof RequestCounts) => sum(parts.map(part => part[kind]));
  return { list: of('list'), get: of('get'), put: of('put'), sqs: of('sqs') };
}

/** Listing, an index per archive, a shard each; long listings are put down in blocks, read once, and ticked off. */
export function planRequests({ images, shards, perTar }: Layout): RequestCounts {
  const objects = Math.ceil(images / perTar);
  const keys = perTar > 1 ? 2 * objects : objects;
  const blocks = images > listingBlock ? Math.ceil(images / listingBlock) : 0;
  const few = 6;
  return {
    list: Math.max(1, Math.ceil(keys / 1000)),
    get: (perTar > 1 ? objects : 0) + blocks + few,
    put: shards + 3 * blocks + 1,
    sqs: few,
  };
}

/** Attending, embedding, clustering, labelling and publishing. */
export function stageRequests(layout: Layout): RequestCounts {
  const { images, shards, perTar, partBytes } = layout;
  const perShard = images / shards;
  const embeddings = partsOf(perShard * layout.embeddedBytes, partBytes);
  const labels = partsOf(perShard * layout.labelBytes, partBytes);
  const fixed = Object.values(shardRequests);
  // Each pass reads a shard's images in one request per archive, loose ones one by one; the first is counted in the table.
  const more = 2 * Math.max(0, Math.ceil(images / perTar) - shards);
  const lists = images > listedAbove ? 1 : 0;
  const beats = (heldMessages * 2 * images) / layout.imagesPerSecond / heartbeatSeconds;
  return {
    list: 1,
    // The catalog reads the embeddings once.
    get: Math.round(shards * (sum(fixed.map(one => one.get)) + embeddings.more) + more + fixedRequests.get),
    put: Math.round(
      shards * (sum(fixed.map(one => one.put)) + lists + embeddings.writes + labels.writes) + fixedRequests.put,
    ),
    sqs: Math.round(2 * shards * messagesPerPiece + beats),
  };
}

/** Waves without shards: each ends with a call of its own. */
const smallWaves = 7;

/** A call lists the markers there are, reads plan and state, and swaps the state. On few machines pieces are heard of one by one. */
function advanceRequests({ shards }: Layout): RequestCounts {
  const pieces = 2 * shards + smallWaves;
  const calls = pieces + 1;
  // The first thousand calls list one page, the next two, …
  const fullPages = Math.floor(pieces / 1000);
  const pages = 500 * fullPages * (fullPages + 1) + (calls - 1000 * fullPages) * (fullPages + 1);
  return { list: pages, get: 2 * calls, put: calls, sqs: Math.ceil((2 * shards) / 10) };
}

/** Requests beyond one, for reading and writing an object in parts. */
function partsOf(bytes: number, partBytes: number): { more: number; writes: number } {
  if (bytes <= partBytes) return { more: 0, writes: 0 };
  const parts = Math.ceil(bytes / partBytes);
  return { more: parts, writes: parts + 1 };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

export const allRequests = ({ list, get, put, sqs }: RequestCounts): number => list + get + put + sqs;
