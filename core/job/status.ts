/** Where a job stands, in figures: images done per stage, rejected, rate, time left. */
import { type Plan, shardSize } from './plan.ts';
import type { Stage } from './stage.ts';

export interface StageStatus {
  readonly stage: string;
  /** Pieces. */
  readonly done: number;
  readonly total: number;
  readonly failed: number;
}

export interface JobStatus {
  readonly job: string;
  /** The stage under way, `done` or `failed`. */
  readonly stage: string;
  readonly error: string | null;
  readonly images: number | null;
  readonly rejected: number;
  readonly stages: readonly StageStatus[];
  /** Since the job was first seen. */
  readonly seconds: number;
  /** Image passes per second: embedding and labelling an image are two. Null until something is measured. */
  readonly imagesPerSecond: number | null;
  /** Until the last image is labelled, at that rate. */
  readonly secondsLeft: number | null;
}

/** Image passes at a moment, in milliseconds since 1970. */
export interface Passes {
  readonly at: number;
  readonly done: number;
}

/** Stages that go over every image, shard by shard. */
const overImages: readonly Stage[] = ['embed', 'label', 'evaluate'];

/** @param done `stage/piece` of every marker. @returns passes over images, done and planned */
export function imagePasses(plan: Plan, done: ReadonlySet<string>): { done: number; total: number } {
  const stages = overImages.filter(stage => plannedFor(plan, stage));
  const size = shardSize(plan.images);
  let passed = 0;
  for (const [i, shard] of plan.shards.entries()) {
    const own = Math.min(size, plan.images - i * size);
    for (const stage of stages) if (done.has(`${stage}/${shard}`)) passed += own;
  }
  return { done: passed, total: stages.length * plan.images };
}

const plannedFor = ({ request }: Plan, stage: Stage): boolean =>
  stage === 'label' ||
  (stage === 'embed' && request.kind === 'run') ||
  (stage === 'evaluate' && Boolean(request.masks));

/** From two moments. @param total passes planned */
export function rateOf(before: Passes, now: Passes, total: number): Pick<JobStatus, 'imagesPerSecond' | 'secondsLeft'> {
  const seconds = (now.at - before.at) / 1000;
  const rate = seconds > 0 ? (now.done - before.done) / seconds : 0;
  if (!(rate > 0)) return { imagesPerSecond: null, secondsLeft: null };
  return { imagesPerSecond: rate, secondsLeft: Math.max(0, total - now.done) / rate };
}
