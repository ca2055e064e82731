/** A plan: how a job is cut into shards, with every setting settled. The same request and listing give the same bytes. */
import type { JobRequest } from './request.ts';
import type { Stage } from './stage.ts';

export interface PlannedImage {
  /** Path below the images prefix: what people see. */
  readonly name: string;
  readonly size: number;
  /** Of the object that holds it: the image itself, or its tar. */
  readonly etag: string;
  /** For an image inside a tar: the tar's path below the prefix, and where the image's bytes begin. */
  readonly tar?: string;
  readonly start?: number;
}

export interface PlannedShard {
  readonly shard: string;
  /** Images in path order. */
  readonly images: readonly PlannedImage[];
}

export interface Plan {
  readonly version: 1;
  readonly job: string;
  readonly request: JobRequest;
  readonly images: number;
  readonly shards: readonly string[];
  /** Clusters asked for or chosen, `auto` while the job is still to find them; 0 when a model is applied. */
  readonly clusters: number | 'auto';
  /** Classes of the ground truth, that of the validation set too; undefined without masks. */
  readonly classes?: number | undefined;
  /** Fingerprint of the validation set's images, which lie in one shard of their own. */
  readonly validation?: string;
  /** What each stage's outputs depend on, eight hex digits. */
  readonly fingerprints: Readonly<Record<Stage, string>>;
}

/** The stage whose label maps are the job's result. */
export const finalLabels = ({ request }: Plan): 'label' | 'finetune' =>
  request.kind === 'run' && request.finetune !== 'none' ? 'finetune' : 'label';

/** Listings up to this many images are planned in one go; larger ones block by block, a block being so many. */
export const listingBlock = 65_536;
/** A block is kept as lines of so many images: shards are put together from whole lines. */
export const listingLine = 2048;

/**
 * Images per shard: few enough to lose minutes only when a machine dies, many enough that requests cost nothing
 * (docs/scale.md). A power of two, so that blocks are whole shards and long listings' shards whole lines.
 */
export const shardSize = (images: number): number =>
  images <= listingBlock ? 256 : images <= 1_000_000 ? listingLine : 32_768;

/** In place of a number: the shard that holds the images of the validation set. */
export const validationShard = 'validation';

export const shardName = (index: number): string => String(index).padStart(6, '0');

/** `--clusters` when neither it nor masks are given: a tenth of the images, 2 … 50. */
export const defaultClusters = (images: number): number => Math.max(2, Math.min(50, Math.floor(images / 10)));
