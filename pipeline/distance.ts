/** The protocol of distance matching: no training, classes come from the nearest references among a few masked images. */
import type { Backbone } from '#core/attention/segmentation-model';
import { applyBackbone } from '#core/backbone/apply-backbone';
import { PermanentError, RejectedInput } from '#core/errors';
import { l2Normalize } from '#core/graph/layers';
import { toModel } from '#core/graph/model';
import { matmul, reshape, resize, shape, topK, transpose } from '#core/graph/ops';
import { constant } from '#core/graph/tensor';
import { methodSizeRule } from '#core/image/model-input';
import { decodeSize, pixelFeeds, pixelInput } from '#core/image/pixel-input';
import { floorLabelMap } from '#core/image/resize';
import type { LabelMap } from '#core/labels/label-map';
import { neighbours, type Reference, referencesOf, voteOfNeighbours } from '#core/metrics/distance-matching';
import { finish, type Metrics } from '#core/metrics/finish';
import { Tally } from '#core/metrics/tally';
import { classNames, givenClasses, listMasks, maskOf, readTruth, type TruthRules } from './ground-truth.ts';
import { mapInOrder } from './in-flight.ts';
import type { Clock, ImageCodec, Log, Model, ModelRunner, ObjectStore } from './ports.ts';

type ReadStore = Pick<ObjectStore, 'get' | 'keys'>;

/** Images and the masks that lie under the prefix of `rules` in their own store. */
export interface MaskedImages {
  readonly images: ReadStore;
  readonly truth: ReadStore;
  readonly rules: TruthRules;
}

export interface DistancePorts {
  readonly models: ModelRunner;
  readonly images: Pick<ImageCodec, 'decode' | 'inflate'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly threads: number;
}

/** Features are enlarged so much before they are compared. */
const enlargement = 4;

export interface DistanceOptions {
  /** Leave out images and masks with something wrong, instead of stopping at the first. */
  readonly continue: boolean;
  /** Is given every label map. @param name its path, ending in `.png` @param highest id that may occur in any */
  readonly keep?: ((name: string, map: LabelMap, highest: number) => Promise<void>) | undefined;
}

/**
 * Labels images by the references and measures the label maps.
 * @throws PermanentError if fewer references are found than neighbours are asked; if a mask has no image, or an image or mask
 * cannot be read (unless `continue`); and if nothing is left to count
 */
export async function evaluateDistance(
  ports: DistancePorts,
  backbone: Backbone,
  reference: MaskedImages,
  test: MaskedImages,
  options: DistanceOptions,
): Promise<Metrics> {
  const started = ports.clock.now();
  const references = await findReferences(ports, backbone, reference, options);
  const source = { store: test.truth, images: ports.images };
  const classes = await givenClasses(source, test.rules);
  const { pairs, skipped } = await pairsOf(test, await listMasks(source, test.rules.masks), options);
  const tally = new Tally('auto');
  await labelling(ports, backbone, references, async label => {
    const work = ({ image, mask }: ImageAndMask) =>
      orReason(image, async () => {
        const map = await label(test.images, image);
        return { map, truth: await readTruth(source, { ...test.rules, classes }, mask, map) };
      });
    let done = 0;
    for await (const one of mapInOrder(pairs, 2 * ports.threads, work)) {
      ports.log.progress('evaluate', 'distance', ++done, pairs.length);
      if ('reason' in one) skipped.push(skip(one, options));
      else {
        tally.add(one.map, one.truth.map, one.truth.ignore);
        await options.keep?.(maskOf(one.image), one.map, highestOf(references));
      }
    }
  });
  const names = await classNames(source, test.rules.masks);
  const metrics = finish(tally, { matching: 'none', classes, names, skipped });
  return { ...metrics, seconds: (ports.clock.now() - started) / 1000 };
}

/**
 * Labels images by the references, where their own masks are withheld.
 * @param keep as in `DistanceOptions` @returns how many were labelled, and which were not
 * @throws PermanentError as `evaluateDistance`
 */
export async function labelByDistance(
  ports: DistancePorts,
  backbone: Backbone,
  reference: MaskedImages,
  images: ReadStore,
  options: DistanceOptions & { readonly keep: NonNullable<DistanceOptions['keep']> },
): Promise<{ images: number; skipped: Metrics['skipped'] }> {
  const references = await findReferences(ports, backbone, reference, options);
  const names = await namesOf(images);
  const skipped: Skipped[] = [];
  await labelling(ports, backbone, references, async label => {
    const work = (image: string) => orReason(image, async () => ({ map: await label(images, image) }));
    let done = 0;
    for await (const one of mapInOrder(names, 2 * ports.threads, work)) {
      ports.log.progress('evaluate', 'distance', ++done, names.length);
      if ('reason' in one) skipped.push(skip(one, options));
      else await options.keep(maskOf(one.image), one.map, highestOf(references));
    }
  });
  if (skipped.length === names.length) throw new PermanentError('there is no image to label');
  return { images: names.length - skipped.length, skipped };
}

const highestOf = (references: readonly Reference[]) =>
  references.reduce((most, { label }) => Math.max(most, label), 0);

interface Skipped {
  readonly image: string;
  readonly reason: string;
}

/** What came of an image, or what is wrong with it. */
async function orReason<Out extends object>(image: string, work: () => Promise<Out>) {
  try {
    return { image, ...(await work()) };
  } catch (error) {
    if (error instanceof RejectedInput) return { image, reason: `image ${image}: ${error.message}` };
    if (error instanceof PermanentError) return { image, reason: error.message };
    throw error;
  }
}

function skip(skipped: Skipped, options: DistanceOptions): Skipped {
  if (options.continue) return skipped;
  throw new PermanentError(`${skipped.reason} (--continue goes on without it)`);
}

type Label = (store: ReadStore, image: string) => Promise<LabelMap>;

/** Lends a labeller with these references. */
async function labelling(
  ports: DistancePorts,
  backbone: Backbone,
  references: readonly Reference[],
  use: (label: Label) => Promise<void>,
): Promise<void> {
  const labels = references.map(({ label }) => label);
  const model = await ports.models.load(neighbourGraph(backbone, references), sessionsOf(ports));
  try {
    await use(async (store, image) => {
      const { outputs, width, height } = await runOn(ports, model, store, image);
      const [rows, columns] = gridOf(outputs.grid!.data as BigInt64Array);
      const cosines = outputs.cosines!.data as Float32Array;
      const data = voteOfNeighbours(cosines, outputs.nearest!.data as BigInt64Array, labels, neighbours);
      return floorLabelMap({ width: columns, height: rows, data }, width, height);
    });
  } finally {
    await model.release();
  }
}

const sessionsOf = ({ threads }: DistancePorts) => ({ sessions: threads, threadsPerSession: 1 });

interface ImageAndMask {
  readonly image: string;
  readonly mask: string;
}

/** Paths of the images, hidden files left out. */
async function namesOf(images: ReadStore): Promise<string[]> {
  const names: string[] = [];
  for await (const name of images.keys('')) if (!name.split('/').some(part => part.startsWith('.'))) names.push(name);
  return names;
}

/** Images that have a mask, and masks without an image. @throws PermanentError if none has; for such a mask unless `continue` */
async function pairsOf({ images, rules }: MaskedImages, masks: readonly string[], options: DistanceOptions) {
  const known = new Set(masks);
  const pairs = (await namesOf(images))
    .map((image): ImageAndMask => ({ image, mask: maskOf(image) }))
    .filter(({ mask }) => known.has(mask));
  if (pairs.length === 0)
    throw new PermanentError(`no image has a mask among the ${masks.length} under ${rules.masks}`);
  const used = new Set(pairs.map(({ mask }) => mask));
  const skipped = masks
    .filter(mask => !used.has(mask))
    .map(mask => skip({ image: mask, reason: `there is no image for the mask ${mask}` }, options));
  return { pairs, skipped };
}

/** @throws PermanentError if they are fewer than the neighbours asked */
async function findReferences(
  ports: DistancePorts,
  backbone: Backbone,
  given: MaskedImages,
  options: DistanceOptions,
): Promise<Reference[]> {
  const source = { store: given.truth, images: ports.images };
  const { pairs } = await pairsOf(given, await listMasks(source, given.rules.masks), options);
  const model = await ports.models.load(featureGraph(backbone), sessionsOf(ports));
  const found: Reference[] = [];
  try {
    const work = ({ image, mask }: ImageAndMask) =>
      orReason(image, async () => {
        const { outputs, width, height } = await runOn(ports, model, given.images, image);
        const { data, dims } = outputs.features!;
        const features = { data: data as Float32Array, channels: dims[1]!, height: dims[2]!, width: dims[3]! };
        const { map, ignore } = await readTruth(source, given.rules, mask, { width, height });
        return { references: referencesOf(features, floorLabelMap(map, features.width, features.height), ignore) };
      });
    let done = 0;
    for await (const one of mapInOrder(pairs, 2 * ports.threads, work)) {
      ports.log.progress('evaluate', 'references', ++done, pairs.length);
      if ('reason' in one) ports.log.note(`left out: ${skip(one, options).reason}`);
      else found.push(...one.references);
    }
  } finally {
    await model.release();
  }
  if (found.length >= neighbours) return found;
  throw new PermanentError(
    `${found.length} references found; ${neighbours} neighbours are asked, so give more masked images`,
  );
}

async function runOn(ports: DistancePorts, model: Model, store: ReadStore, name: string) {
  const bytes = (await store.get(name))!;
  const { image, width, height } = await ports.images.decode(bytes, shown => decodeSize(shown, methodSizeRule));
  const { outputs } = await model.run(pixelFeeds(image, { width, height }, methodSizeRule));
  return { outputs, width, height };
}

/** float32 [1, C, 4h, 4w] of a picture's deepest features. */
function enlargedFeatures({ model, settings }: Backbone) {
  const { inputs, image } = pixelInput();
  const { deep } = applyBackbone(model, settings, image);
  const scales = [1, 1, enlargement, enlargement];
  return { inputs, features: resize(deep, { scales }, { mode: 'linear' }) };
}

function featureGraph(backbone: Backbone): Uint8Array {
  const { inputs, features } = enlargedFeatures(backbone);
  return toModel({ name: 'features', inputs, outputs: { features } });
}

/** Per position the cosines to its nearest references, [positions, k], and which they are; `grid`: the features' dims. */
function neighbourGraph(backbone: Backbone, references: readonly Reference[]): Uint8Array {
  const { inputs, features } = enlargedFeatures(backbone);
  const channels = references[0]!.vector.length;
  const table = new Float32Array(channels * references.length);
  for (const [r, { vector }] of references.entries()) {
    for (let c = 0; c < channels; c++) table[c * references.length + r] = vector[c]!;
  }
  const rows = reshape(transpose(l2Normalize(features, 1, 1e-12), { perm: [0, 2, 3, 1] }), [-1, channels]);
  const [cosines, nearest] = topK(matmul(rows, constant(table, [channels, references.length])), neighbours);
  return toModel({ name: 'neighbours', inputs, outputs: { cosines, nearest, grid: shape(features) } });
}

const gridOf = (dims: BigInt64Array): [rows: number, columns: number] => [Number(dims[2]), Number(dims[3])];
