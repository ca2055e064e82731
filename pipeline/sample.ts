/** The sample of images that `attend` looks at, and what their features are needed for. */
import { type ForegroundSeed, foregroundSeed } from '#core/attention/foreground-seed';
import { type BackboneMaps, gramMatrix, headMaps, unitFeatures } from '#core/attention/pixel-attention';
import { type Backbone, backboneMaps } from '#core/attention/segmentation-model';
import { toModel } from '#core/graph/model';
import { reshape, shape, slice, transpose } from '#core/graph/ops';
import type { Tensor } from '#core/graph/tensor';
import type { ModelSizeRule } from '#core/image/model-input';
import { pixelFeeds, pixelInput } from '#core/image/pixel-input';
import { greyOf } from '#core/image/rgb-image';
import { keys } from '#core/job/keys';
import type { Plan, PlannedImage, PlannedShard } from '#core/job/plan';
import { seedOf } from '#core/random';
import { readJson } from './documents.ts';
import { mapInOrder } from './in-flight.ts';
import { readImage } from './inputs.ts';
import type { DecodedImage, Model, Ports } from './ports.ts';

/** One sampled image, at the size it was decoded to. */
export interface Sampled {
  readonly width: number;
  readonly height: number;
  /** [height, width]. */
  readonly grey: Uint8Array;
  readonly grid: { readonly height: number; readonly width: number };
  /** Unit features, [positions, channels]; only for the images the principal components are taken from. */
  readonly features?: Float32Array;
  readonly seed?: ForegroundSeed;
  /** An untrained foreground score, [positions]. */
  readonly score?: Float32Array;
  /** Projected unit features, [positions, 64]: what the head sees. */
  readonly projected?: Float32Array;
}

/** What to compute for every image of a pass. */
export interface SamplePass {
  readonly features: boolean;
  readonly seeds: boolean;
  /** A foreground score that needs no fitting: [N, 1, h, w]. */
  readonly score?: (maps: BackboneMaps) => Tensor;
  /** From the backbone's maps to what the head sees. */
  readonly project?: (maps: BackboneMaps) => Tensor;
}

/** `count` images spread over the whole set by the hash of their names, in path order: the same for every cut into shards. */
export async function chooseSample(ports: Ports, plan: Plan, count: number, seed: number): Promise<PlannedImage[]> {
  const chosen: { image: PlannedImage; rank: number }[] = [];
  for (const shard of plan.shards) {
    const { images } = await readJson<PlannedShard>(ports.store, keys.shard(plan.job, plan.fingerprints.plan, shard));
    for (const image of images) chosen.push({ image, rank: seedOf(image.name, seed) });
    chosen.sort((a, b) => a.rank - b.rank || (a.image.name < b.image.name ? -1 : 1));
    chosen.splice(count);
  }
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return chosen.map(({ image }) => image).sort((a, b) => order(a.name, b.name));
}

/** All images of the job, in path order. */
export async function plannedImages({ store }: Ports, plan: Plan): Promise<PlannedImage[]> {
  const all: PlannedImage[] = [];
  for (const shard of plan.shards) {
    const { images } = await readJson<PlannedShard>(store, keys.shard(plan.job, plan.fingerprints.plan, shard));
    for (const image of images) all.push(image);
  }
  return all;
}

export interface SampleResult {
  readonly sampled: readonly Sampled[];
  readonly rejected: readonly { readonly name: string; readonly reason: string }[];
}

/** Runs the backbone over images; those that cannot be read, and copies of earlier ones, are left out. */
export async function samplePass(
  ports: Ports,
  prefix: string,
  images: readonly PlannedImage[],
  backbone: Backbone,
  rule: ModelSizeRule,
  pass: SamplePass,
): Promise<SampleResult> {
  const model = await ports.models.load(passGraph(backbone, pass), {
    sessions: ports.tuning.threads,
    threadsPerSession: 1,
  });
  const seen = new Set<string>();
  const sampled: Sampled[] = [];
  const rejected: { name: string; reason: string }[] = [];
  let done = 0;
  try {
    const work = async (planned: PlannedImage) => {
      const read = await readImage(ports, prefix, planned, rule);
      if (read.state === 'rejected') return read;
      return { state: read.state, sha256: read.sha256, one: await sampleOne(model, pass, rule, read.decoded) };
    };
    for await (const result of mapInOrder(images, ports.tuning.threads * 3, work)) {
      // In path order, so that it does not matter which of two copies was decoded first.
      if (result.state === 'rejected') rejected.push(result);
      else if (!seen.has(result.sha256)) {
        seen.add(result.sha256);
        sampled.push(result.one);
      }
      ports.log.progress('attend', 'sample', ++done, images.length);
    }
  } finally {
    await model.release();
  }
  return { sampled, rejected };
}

function passGraph(backbone: Backbone, pass: SamplePass): Uint8Array {
  const { inputs, image } = pixelInput();
  const maps = backboneMaps(backbone, image);
  const unit = unitFeatures(maps);
  const outputs: Record<string, Tensor> = {};
  if (pass.features) outputs.features = positionRows(unit);
  if (pass.seeds) outputs.gram = gramMatrix(unitFeatures(headMaps(maps)));
  if (pass.score) outputs.score = pass.score(maps);
  if (pass.project) outputs.projected = positionRows(pass.project(maps));
  outputs.grid = gridSize(outputs.score ?? unit);
  return toModel({ name: 'sample', inputs, outputs });
}

/** [1, C, h, w] → [1, h·w, C]. */
const positionRows = (map: Tensor): Tensor => transpose(reshape(map, [0, 0, -1]), { perm: [0, 2, 1] });

/** The last two sizes of a map, int64 [2]. */
const gridSize = (map: Tensor): Tensor => slice(shape(map), { starts: [2], ends: [4] });

async function sampleOne(model: Model, pass: SamplePass, rule: ModelSizeRule, decoded: DecodedImage): Promise<Sampled> {
  const { image } = decoded;
  const { width, height } = image;
  const grey = greyOf(image);
  const { outputs } = await model.run(pixelFeeds(image, decoded, rule));
  const floats = (name: string) => outputs[name]?.data as Float32Array | undefined;
  const [gridHeight, gridWidth] = Array.from(outputs.grid!.data as BigInt64Array, Number) as [number, number];
  const grid = { height: gridHeight, width: gridWidth };
  return {
    width,
    height,
    grey,
    grid,
    ...(pass.features && { features: floats('features')! }),
    ...(pass.seeds && { seed: foregroundSeed(floats('gram')!, grid.height, grid.width) }),
    ...(pass.score && { score: floats('score')! }),
    ...(pass.project && { projected: floats('projected')! }),
  };
}

/** Arrays one behind the other. */
export function joined<T extends Float32Array | Float64Array>(parts: readonly T[], make: new (length: number) => T): T {
  const all = new make(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
