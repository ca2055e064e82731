/** A folder of label maps against a folder of ground-truth masks: one pass over the files, one set of metrics. */
import { PermanentError, RejectedInput } from '#core/errors';
import type { LabelMap } from '#core/labels/label-map';
import { classIds, type FinishOptions, finish, type Metrics } from '#core/metrics/finish';
import { type Matching, type MatchingKind, solveMatching } from '#core/metrics/matching';
import { applyMatching, joinsIds } from '#core/metrics/saved-matching';
import { Tally } from '#core/metrics/tally';
import {
  classNames,
  decodeMask,
  givenClasses,
  listMasks,
  readTruth,
  type Truth,
  type TruthRules,
} from './ground-truth.ts';
import { mapInOrder } from './in-flight.ts';
import type { Clock, ImageCodec, Log, ObjectStore } from './ports.ts';

/** What an evaluation needs of the world. */
export interface EvaluationPorts {
  readonly predictions: Pick<ObjectStore, 'get' | 'keys'>;
  /** Holds the masks and, beside their folder, `categories.txt`. */
  readonly truth: Pick<ObjectStore, 'get' | 'keys'>;
  readonly images: Pick<ImageCodec, 'inflate'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly threads: number;
}

export interface EvaluationRequest extends TruthRules {
  /** Prefix of the label maps, with a final `/`, or empty. */
  readonly predictions: string;
  readonly matching: MatchingKind | Matching;
  /** Leave out pairs with something wrong, instead of stopping at the first. */
  readonly continue: boolean;
}

/** Pairs decoded ahead per thread: decoding runs beside counting. */
const aheadPerThread = 3;

/**
 * Every mask is compared with the label map of the same relative path.
 * @throws PermanentError that names the file if a label map is missing, a file cannot be read, sizes differ, or an id is
 * above the classes (unless `continue`); and if nothing is left to count
 */
export async function evaluateFolders(ports: EvaluationPorts, request: EvaluationRequest): Promise<Metrics> {
  const started = ports.clock.now();
  const source = { store: ports.truth, images: ports.images };
  const masks = await listMasks(source, request.masks);
  if (masks.length === 0) throw new PermanentError(`there is no mask (.png) under ${request.masks}`);
  await noteExtraLabelMaps(ports, request.predictions, masks);
  const settled = { ...request, classes: await givenClasses(source, request) };
  const names = await classNames(source, request.masks);
  const counted = await count(ports, settled, masks);
  const options = { classes: settled.classes, names, skipped: counted.skipped };
  const metrics = measure(ports, counted, settled.matching, options);
  noteAbsentClasses(ports, metrics);
  return { ...metrics, seconds: (ports.clock.now() - started) / 1000 };
}

interface Counted {
  readonly tally: Tally;
  /** Of the label maps with class ids in place, where a saved matching joins predicted ids. */
  readonly joined: Tally | undefined;
  readonly skipped: { image: string; reason: string }[];
}

async function count(ports: EvaluationPorts, request: EvaluationRequest, masks: readonly string[]): Promise<Counted> {
  const { matching, background } = request;
  const joining = typeof matching !== 'string' && joinsIds(matching) ? matching : undefined;
  const tally = new Tally(background);
  const joined = joining && new Tally(background);
  const skipped: Counted['skipped'] = [];
  let done = 0;
  for await (const pair of mapInOrder(masks, ports.threads * aheadPerThread, mask => readPair(ports, request, mask))) {
    ports.log.progress('evaluate', 'masks', ++done, masks.length);
    if ('reason' in pair) {
      if (!request.continue) throw new PermanentError(`${pair.reason} (--continue goes on without it)`);
      skipped.push(pair);
      continue;
    }
    const { image, prediction, truth } = pair;
    tally.add(prediction, truth.map, truth.ignore);
    if (joining) joined?.add(applyMatching(prediction, joining), truth.map, truth.ignore);
    if (truth.map.data.every(id => truth.ignore.includes(id))) {
      ports.log.note(`mask ${image} is ignored altogether; it counts as an image without a right class`);
    }
  }
  return { tally, joined, skipped };
}

type Pair =
  | { readonly image: string; readonly prediction: LabelMap; readonly truth: Truth }
  | { readonly image: string; readonly reason: string };

/** A mask and its label map, or what is wrong with them. */
async function readPair(ports: EvaluationPorts, request: EvaluationRequest, mask: string): Promise<Pair> {
  try {
    const bytes = await ports.predictions.get(request.predictions + mask);
    if (!bytes) throw new PermanentError(`there is no label map ${mask} for the mask of that name`);
    const { width, height, ids } = await decodeMask(ports, bytes, `label map ${mask}`);
    const truth = await readTruth({ store: ports.truth, images: ports.images }, request, mask, { width, height });
    return { image: mask, prediction: { width, height, data: ids }, truth };
  } catch (error) {
    if (!(error instanceof PermanentError || error instanceof RejectedInput)) throw error;
    return { image: mask, reason: error.message };
  }
}

function measure(
  ports: EvaluationPorts,
  { tally, joined }: Counted,
  wanted: EvaluationRequest['matching'],
  options: Omit<FinishOptions, 'matching'>,
): Metrics {
  const matching = typeof wanted === 'string' ? solveMatching(tally, wanted, classIds(tally, options.classes)) : wanted;
  if (!matching.unique) {
    ports.log.note(`several matchings are equally good by ${matching.kind}; other tools may pick another`);
  }
  const metrics = finish(tally, { ...options, matching });
  if (!joined) return metrics;
  const { matching: saved, matchingKind, pixelMatched } = metrics;
  return { ...finish(joined, { ...options, matching: 'none' }), matching: saved, matchingKind, pixelMatched };
}

async function noteExtraLabelMaps(
  ports: EvaluationPorts,
  predictions: string,
  masks: readonly string[],
): Promise<void> {
  const known = new Set(masks);
  const extra = (await listMasks({ store: ports.predictions }, predictions)).filter(name => !known.has(name));
  if (extra.length > 0) {
    ports.log.note(`label maps without a mask, not counted: ${someOf(extra)}`);
  }
}

function noteAbsentClasses(ports: EvaluationPorts, { perClass }: Metrics): void {
  const absent = perClass.filter(({ pixels }) => pixels === 0).map(({ id, name }) => `${id} (${name})`);
  if (absent.length > 0) {
    ports.log.note(`classes that occur in no mask, 0 in miou and left out of miouForeground: ${someOf(absent)}`);
  }
}

/** The first few, and how many there are. */
function someOf(names: readonly string[], shown = 3): string {
  const more = names.length > shown ? `, … (${names.length} in all)` : '';
  return names.slice(0, shown).join(', ') + more;
}
