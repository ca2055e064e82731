/** The protocol of distance matching: no training, classes come from the nearest references among a few masked images. */
import type { Backbone } from '#core/attention/segmentation-model';
import { applyBackbone } from '#core/backbone/apply-backbone';
import { PermanentError } from '#core/errors';
import { l2Normalize } from '#core/graph/layers';
import { toModel } from '#core/graph/model';
import { matmul, reshape, resize, shape, topK, transpose } from '#core/graph/ops';
import { constant } from '#core/graph/tensor';
import { methodSizeRule } from '#core/image/model-input';
import { decodeSize, pixelFeeds, pixelInput } from '#core/image/pixel-input';
import { resizeLabelMap } from '#core/image/resize';
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

/** @throws PermanentError if fewer references are found than neighbours are asked, or an image or mask cannot be read */
export async function evaluateDistance(
  ports: DistancePorts,
  backbone: Backbone,
  reference: MaskedImages,
  test: MaskedImages,
): Promise<Metrics> {
  const started = ports.clock.now();
  const references = await findReferences(ports, backbone, reference);
  if (references.length < neighbours) {
    throw new PermanentError(
      `${references.length} references found; ${neighbours} neighbours are asked, so give more masked images`,
    );
  }
  const source = { store: test.truth, images: ports.images };
  const classes = await givenClasses(source, test.rules);
  const tally = new Tally('auto');
  const labels = references.map(({ label }) => label);
  const model = await ports.models.load(neighbourGraph(backbone, references), sessionsOf(ports));
  const pairs = await pairsOf(test, new Set(await listMasks(source, test.rules.masks)));
  try {
    const work = async ({ image, mask }: ImageAndMask) => {
      const { outputs, width, height } = await runOn(ports, model, test.images, image);
      const [rows, columns] = gridOf(outputs.grid!.data as BigInt64Array);
      const data = voteOfNeighbours(
        outputs.cosines!.data as Float32Array,
        outputs.nearest!.data as BigInt64Array,
        labels,
        neighbours,
      );
      const map = resizeLabelMap({ width: columns, height: rows, data }, width, height);
      return { map, truth: await readTruth(source, { ...test.rules, classes }, mask, map) };
    };
    let done = 0;
    for await (const { map, truth } of mapInOrder(pairs, 2 * ports.threads, work)) {
      tally.add(map, truth.map, truth.ignore);
      ports.log.progress('evaluate', 'distance', ++done, pairs.length);
    }
  } finally {
    await model.release();
  }
  const names = await classNames(source, test.rules.masks);
  return { ...finish(tally, { matching: 'none', classes, names }), seconds: (ports.clock.now() - started) / 1000 };
}

const sessionsOf = ({ threads }: DistancePorts) => ({ sessions: threads, threadsPerSession: 1 });

interface ImageAndMask {
  readonly image: string;
  readonly mask: string;
}

/** Images that have a mask. @throws PermanentError if none has */
async function pairsOf({ images, rules }: MaskedImages, masks: ReadonlySet<string>): Promise<ImageAndMask[]> {
  const pairs: ImageAndMask[] = [];
  for await (const image of images.keys('')) if (masks.has(maskOf(image))) pairs.push({ image, mask: maskOf(image) });
  if (pairs.length === 0) throw new PermanentError(`no image has a mask among the ${masks.size} under ${rules.masks}`);
  return pairs;
}

async function findReferences(ports: DistancePorts, backbone: Backbone, given: MaskedImages): Promise<Reference[]> {
  const source = { store: given.truth, images: ports.images };
  const pairs = await pairsOf(given, new Set(await listMasks(source, given.rules.masks)));
  const model = await ports.models.load(featureGraph(backbone), sessionsOf(ports));
  const found: Reference[] = [];
  try {
    const work = async ({ image, mask }: ImageAndMask) => {
      const { outputs, width, height } = await runOn(ports, model, given.images, image);
      const { data, dims } = outputs.features!;
      const features = { data: data as Float32Array, channels: dims[1]!, height: dims[2]!, width: dims[3]! };
      const { map, ignore } = await readTruth(source, given.rules, mask, { width, height });
      return referencesOf(features, resizeLabelMap(map, features.width, features.height), ignore);
    };
    let done = 0;
    for await (const references of mapInOrder(pairs, 2 * ports.threads, work)) {
      found.push(...references);
      ports.log.progress('evaluate', 'references', ++done, pairs.length);
    }
  } finally {
    await model.release();
  }
  return found;
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
