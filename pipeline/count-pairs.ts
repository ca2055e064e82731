/** Counting some of an evaluation's pairs of label map and mask: what runs on every core, its results added up afterwards. */
import { PermanentError, RejectedInput } from '#core/errors';
import { readNpy } from '#core/formats/npy';
import { pngSize } from '#core/formats/png-index';
import { resizeMap } from '#core/image/resize-map';
import type { LabelMap } from '#core/labels/label-map';
import type { Matching } from '#core/metrics/matching';
import { applyMatching, joinsIds } from '#core/metrics/saved-matching';
import { sweepToBytes } from '#core/metrics/sweep-bytes';
import { Tally } from '#core/metrics/tally';
import { tallyToBytes } from '#core/metrics/tally-bytes';
import { ThresholdSweep } from '#core/metrics/threshold-sweep';
import { decodeMask, readTruth, sizeMismatch, type Truth, type TruthRules } from './ground-truth.ts';
import { mapInOrder } from './in-flight.ts';
import type { ImageCodec, ObjectStore } from './ports.ts';

/** What counting needs of the world. */
export interface CountingPorts {
  /** A folder or an archive of label maps. */
  readonly predictions: Pick<ObjectStore, 'get'>;
  readonly truth: Pick<ObjectStore, 'get' | 'keys'>;
  /** Foreground scores, `<path>.npy`, where they are asked for. */
  readonly scores?: Pick<ObjectStore, 'get'> | undefined;
  readonly images: Pick<ImageCodec, 'inflate'>;
}

/** Plain data: it goes to other threads as it is. */
export interface CountRequest extends TruthRules {
  /** Prefix of the label maps, with a final `/`, or empty. */
  readonly predictions: string;
  /** Leave out pairs with something wrong, instead of stopping at the first. */
  readonly continue: boolean;
  /** Predicted ids that are expected, where that is known: label maps with others are counted. */
  readonly known?: readonly number[] | undefined;
  /** Others are something wrong with a label map. */
  readonly refuseForeign?: boolean | undefined;
  /** A matching that may join predicted ids, which changes boundaries. */
  readonly given?: Matching | undefined;
  /** `sweep`: count survivors of every threshold. A number: pixels below it are background. */
  readonly threshold?: 'sweep' | number | undefined;
}

export interface Counted {
  /** As by `tallyToBytes`; with a sweep, `sweep` in its place. */
  readonly tally?: Uint8Array | undefined;
  /** Of the label maps with class ids in place, where the given matching joins predicted ids. */
  readonly joined?: Uint8Array | undefined;
  readonly sweep?: Uint8Array | undefined;
  readonly skipped: readonly { readonly image: string; readonly reason: string }[];
  /** Masks without a pixel that counts. */
  readonly ignored: readonly string[];
  /** Label maps with an id that is not known, each with the first such. */
  readonly foreign: readonly ForeignId[];
}

export interface ForeignId {
  readonly image: string;
  readonly id: number;
}

/** Pairs in hand at a time: the next one's files are read while one is counted. */
const readAhead = 2;

/** Counts the masks of these names, in this order. @throws PermanentError naming the first with something wrong, unless `continue` */
export async function countPairs(
  ports: CountingPorts,
  request: CountRequest,
  names: readonly string[],
): Promise<Counted> {
  const { background, given, threshold } = request;
  const tally = new Tally(background);
  const joined = given && joinsIds(given) ? new Tally(background) : undefined;
  const sweep = threshold === 'sweep' ? new ThresholdSweep() : undefined;
  const skipped: { image: string; reason: string }[] = [];
  const ignored: string[] = [];
  const foreign: ForeignId[] = [];
  for await (const pair of mapInOrder(names, readAhead, image => readPair(ports, request, image))) {
    if ('reason' in pair) {
      if (!request.continue) throw new PermanentError(`${pair.reason} (--continue goes on without it)`);
      skipped.push(pair);
      continue;
    }
    const { prediction, score, truth } = pair;
    if (pair.foreign !== undefined) foreign.push({ image: pair.image, id: pair.foreign });
    if (sweep) {
      sweep.add(prediction, score!, truth.map, truth.ignore);
      continue;
    }
    tally.add(prediction, truth.map, truth.ignore);
    joined?.add(applyMatching(prediction, given!), truth.map, truth.ignore);
    if (truth.map.data.every(id => truth.ignore.includes(id))) ignored.push(pair.image);
  }
  if (sweep) return { sweep: sweepToBytes(sweep), skipped, ignored, foreign };
  return { tally: tallyToBytes(tally), joined: joined && tallyToBytes(joined), skipped, ignored, foreign };
}

type Pair =
  | {
      readonly image: string;
      readonly prediction: LabelMap;
      readonly score: Float32Array | undefined;
      readonly truth: Truth;
      /** First id in the label map that is not known. */
      readonly foreign: number | undefined;
    }
  | { readonly image: string; readonly reason: string };

/** A mask and its label map, or what is wrong with them. */
async function readPair(ports: CountingPorts, request: CountRequest, image: string): Promise<Pair> {
  try {
    const truth = await readTruth({ store: ports.truth, images: ports.images }, request, image);
    const prediction = await readPrediction(ports, request, image, truth.map);
    const { threshold, known } = request;
    const foreign = known && firstForeign(prediction, truth, known);
    if (foreign !== undefined && request.refuseForeign) throw foreignId(image, foreign);
    if (threshold === undefined) return { image, prediction, score: undefined, truth, foreign };
    const score = await readScore(ports, image, prediction);
    if (threshold === 'sweep') return { image, prediction, score, truth, foreign };
    const data = prediction.data.map((id, i) => (score[i]! < threshold ? 0 : id));
    return { image, prediction: { ...prediction, data }, score, truth, foreign };
  } catch (error) {
    if (!(error instanceof PermanentError || error instanceof RejectedInput)) throw error;
    return { image, reason: error.message };
  }
}

/** First predicted id that is not known, where the ground truth counts. */
function firstForeign(prediction: LabelMap, { map, ignore }: Truth, known: readonly number[]): number | undefined {
  const isKnown = new Uint8Array(65_536);
  for (const id of known) isKnown[id] = 1;
  return prediction.data.find((id, i) => isKnown[id] === 0 && !ignore.includes(map.data[i]!));
}

export const foreignId = (image: string, id: number) =>
  new PermanentError(
    `label map ${image} holds id ${id}, which is no class, nor does the matching say what it stands for (null: nothing)`,
  );

/** The size is looked at first: a stranger's file that claims to be huge is never unpacked. */
async function readPrediction(
  ports: CountingPorts,
  { predictions }: CountRequest,
  image: string,
  truth: LabelMap,
): Promise<LabelMap> {
  const name = `label map ${image}`;
  const bytes = await ports.predictions.get(predictions + image);
  if (!bytes) throw new PermanentError(`there is no label map ${image} for the mask of that name`);
  const size = pngSize(bytes);
  if (size && (size.width !== truth.width || size.height !== truth.height)) {
    throw sizeMismatch(`mask ${image}`, truth, size);
  }
  const { width, height, ids } = await decodeMask(ports, bytes, name);
  return { width, height, data: ids };
}

/** Foreground scores at the label map's size: [H, W], or a coarser grid that is enlarged. */
async function readScore({ scores }: CountingPorts, image: string, { width, height }: LabelMap): Promise<Float32Array> {
  const file = image.replace(/\.png$/i, '.npy');
  const bytes = await scores?.get(file);
  if (!bytes) throw new PermanentError(`there are no scores ${file} for the label map of that name`);
  const { kind, shape, data } = readNpy(bytes, `scores ${file}`);
  const [rows, columns] = shape.filter((length, i) => length !== 1 || i >= shape.length - 2).slice(-2);
  if (!kind.startsWith('float') || !rows || !columns || rows * columns !== data.length) {
    throw new PermanentError(
      `scores ${file} are ${kind} of shape [${shape}]; expected floats of shape [height, width]`,
    );
  }
  const values = Float32Array.from(data);
  return rows === height && columns === width ? values : resizeMap(values, rows, columns, height, width);
}
