/** Stage label: the model applied to every image of a shard, label maps packed into one tar. */
import { encodeIndexPng } from '#core/formats/png-index';
import { writeTar } from '#core/formats/tar';
import { keys } from '#core/job/keys';
import type { Plan, PlannedImage, PlannedShard } from '#core/job/plan';
import type { LabelMap } from '#core/labels/label-map';
import { readJson } from './documents.ts';
import { mapInOrder } from './in-flight.ts';
import { decodeFound, type FoundImage, findImages } from './inputs.ts';
import { type Labeller, labelImage } from './labeller.ts';
import { finishPiece } from './marker.ts';
import type { Ports } from './ports.ts';
import { openLabeller } from './run-labeller.ts';

/** What label tells about one image. */
export type LabelledImage =
  | { readonly name: string; readonly state: 'rejected'; readonly reason: string }
  | {
      readonly name: string;
      readonly state: 'labelled' | 'empty';
      readonly sha256: string;
      readonly notes: readonly string[];
      readonly width: number;
      readonly height: number;
      /** Share of pixels that are not background. */
      readonly foreground: number;
      readonly confidence: number;
      /** [label id, pixels] of every label that occurs, background left out. */
      readonly labels: readonly (readonly [number, number])[];
    };

export interface LabelSummary {
  readonly images: readonly LabelledImage[];
}

/** One entry of the shard's tar: the image's name and its label map as index PNG. */
export interface PackedLabel {
  readonly image: LabelledImage;
  readonly png?: Uint8Array;
}

export async function label(ports: Ports, plan: Plan, shard: string): Promise<void> {
  await labelShard(ports, plan, 'label', shard, await openLabeller(ports, plan));
}

/** What people see of the progress: steps of training and images are not added up. */
const told = { label: 'label', finetune: 'relabel' } as const;

/** @param labeller released in the end */
export async function labelShard(
  ports: Ports,
  plan: Plan,
  stage: 'label' | 'finetune',
  shard: string,
  labeller: Labeller,
): Promise<void> {
  const started = ports.clock.now();
  const { images } = await readJson<PlannedShard>(ports.store, keys.shard(plan.job, plan.fingerprints.plan, shard));
  const packed = await labelImages(ports, { prefix: plan.request.images, images }, labeller, done =>
    ports.log.progress(told[stage], shard, done, images.length),
  );
  const tar = writeTar(packed.flatMap(({ image, png }) => (png ? { name: `${image.name}.png`, bytes: png } : [])));
  await finishPiece(
    ports,
    plan,
    stage,
    shard,
    { tar },
    { images: packed.map(p => p.image) } satisfies LabelSummary,
    started,
  );
}

/**
 * Labels images in their order.
 * @param labeller released in the end
 * @param progress told how many are done
 */
export async function labelImages(
  ports: Ports,
  { prefix, images }: { readonly prefix: string; readonly images: readonly PlannedImage[] },
  labeller: Labeller,
  progress: (done: number) => void,
): Promise<PackedLabel[]> {
  const packed: PackedLabel[] = [];
  try {
    const found = findImages(ports.store, prefix, images);
    const work = (image: FoundImage) => labelOne(ports, labeller, image);
    for await (const result of mapInOrder(found, ports.tuning.threads * 3, work)) {
      packed.push(result);
      progress(packed.length);
    }
  } finally {
    await labeller.model.release();
  }
  return packed;
}

/** One image: its label map as PNG, or why there is none. */
export async function labelOne(ports: Ports, labeller: Labeller, found: FoundImage): Promise<PackedLabel> {
  const read = await decodeFound(ports, found);
  if (read.state === 'rejected') return { image: read };
  const { width, height, notes, image } = read.decoded;
  const { map, foreground, confidence } = await labelImage(ports, labeller, image);
  const labels = countLabels(map);
  const state = labels.length ? 'labelled' : 'empty';
  const png = await encodeIndexPng(map, {
    highest: labeller.clusters,
    deflate: (bytes, runs) => ports.images.deflate(bytes, runs),
  });
  return {
    image: { name: read.name, state, sha256: read.sha256, notes, width, height, foreground, confidence, labels },
    png,
  };
}

function countLabels({ data }: LabelMap): [number, number][] {
  const counts = new Map<number, number>();
  // Labels come in long runs: one entry per run, not per pixel.
  for (let start = 0, end = 0; start < data.length; start = end) {
    const label = data[start]!;
    do end++;
    while (end < data.length && data[end] === label);
    if (label) counts.set(label, (counts.get(label) ?? 0) + end - start);
  }
  return [...counts].sort(([a], [b]) => a - b);
}
