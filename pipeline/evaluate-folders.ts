/** Label maps against ground-truth masks of the same relative paths: one pass over the files, one set of metrics. */
import { PermanentError } from '#core/errors';
import { classIds, type FinishOptions, finish, type Metrics } from '#core/metrics/finish';
import { type Level, type LevelMetrics, levelMetrics, readHierarchy } from '#core/metrics/hierarchy';
import { type Matching, type MatchingKind, predictedIds, solveMatching } from '#core/metrics/matching';
import { listedIds } from '#core/metrics/saved-matching';
import { sweepFromBytes } from '#core/metrics/sweep-bytes';
import { Tally } from '#core/metrics/tally';
import { tallyFromBytes } from '#core/metrics/tally-bytes';
import { type SweepResult, ThresholdSweep } from '#core/metrics/threshold-sweep';
import { type Counted, type CountingPorts, type CountRequest, countPairs, type ForeignId } from './count-pairs.ts';
import { classNames, givenClasses, listMasks, type TruthRules } from './ground-truth.ts';
import { mapInOrder } from './in-flight.ts';
import type { Clock, Log, ObjectStore } from './ports.ts';

/** Counts a batch of masks somewhere: here, or on a thread of its own. */
export type CountBatch = (request: CountRequest, names: readonly string[]) => Promise<Counted>;

/** What an evaluation needs of the world. */
export interface EvaluationPorts extends CountingPorts {
  readonly predictions: Pick<ObjectStore, 'get' | 'keys'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly threads: number;
  /** Default: counts in this thread. */
  readonly countBatch?: CountBatch | undefined;
}

export interface EvaluationRequest extends TruthRules {
  /** Prefix of the label maps, with a final `/`, or empty. */
  readonly predictions: string;
  readonly matching: MatchingKind | Matching;
  /** Leave out pairs with something wrong, instead of stopping at the first. */
  readonly continue: boolean;
  /** A predicted id that is neither a class nor in the given matching is something wrong with its label map. */
  readonly refuseForeign?: boolean | undefined;
  /** Find the threshold of the foreground scores with the best mIoU first; needs `scores`. */
  readonly sweep?: boolean | undefined;
  /** A parent map, for results at coarser levels. */
  readonly hierarchy?: { readonly text: string; readonly file: string } | undefined;
}

export interface Evaluation extends Metrics {
  /** Label maps without a mask, where there are any: not counted. Masks without a label map are in `skipped`. */
  readonly extraPredictions?: number;
  /** Masks of which no pixel counts, where there are any: images without a right class. */
  readonly ignoredMasks?: number;
  /** Classes that occur in no mask, where there are any. */
  readonly absentClasses?: number;
  /** Label maps with ids that are neither classes nor in the given matching, where there are any. */
  readonly foreignPredictions?: number;
  /** Predicted ids that stand for no class, where there are any: they match nothing. */
  readonly unmatched?: readonly number[];
  /** mIoU at every threshold tried, with a sweep. */
  readonly thresholdSweep?: { readonly thresholds: readonly number[]; readonly miou: readonly number[] };
  /** With a parent map. */
  readonly hierarchy?: readonly LevelMetrics[];
}

/** Pairs per batch: enough that a message costs nothing, few enough that all cores end together. */
const batchSize = 32;

/**
 * Every mask is compared with the label map of the same relative path.
 * @throws PermanentError that names the file if a label map is missing, a file cannot be read, sizes differ, or an id is
 * above the classes (unless `continue`); and if nothing is left to count
 */
export async function evaluateFolders(ports: EvaluationPorts, request: EvaluationRequest): Promise<Evaluation> {
  const started = ports.clock.now();
  const source = { store: ports.truth, images: ports.images };
  const masks = await listMasks(source, request.masks);
  if (masks.length === 0) throw new PermanentError(`there is no mask (.png) under ${request.masks}`);
  const extraPredictions = await countExtras(ports, request.predictions, masks);
  const settled = { ...request, classes: await givenClasses(source, request) };
  assertOfThisSet(settled);
  const names = await classNames(source, request.masks);
  const sweep = request.sweep ? await sweepThresholds(ports, settled, masks) : undefined;
  const counted = await count(ports, countRequest(settled, sweep?.threshold), masks);
  const options = { classes: settled.classes, names, skipped: counted.skipped, threshold: sweep?.threshold ?? null };
  const metrics = measure(ports, counted, settled.matching, options);
  noteIgnored(ports, counted.ignored);
  noteForeign(ports, counted.foreign);
  const absentClasses = noteAbsentClasses(ports, metrics);
  const unmatched = predictedIds(counted.tally).filter(id => !(id in metrics.matching));
  return {
    ...metrics,
    ...(counted.ignored.length > 0 && { ignoredMasks: counted.ignored.length }),
    ...(absentClasses > 0 && { absentClasses }),
    ...(counted.foreign.length > 0 && { foreignPredictions: counted.foreign.length }),
    ...(unmatched.length > 0 && { unmatched }),
    ...(extraPredictions > 0 && { extraPredictions }),
    ...(sweep && { thresholdSweep: { thresholds: new ThresholdSweep().counts.candidates, miou: [...sweep.curve] } }),
    ...(request.hierarchy && {
      hierarchy: coarse(counted.tally, metrics, levelsOf(request.hierarchy, names, metrics)),
    }),
    seconds: (ports.clock.now() - started) / 1000,
  };
}

function countRequest(request: EvaluationRequest, threshold: CountRequest['threshold']): CountRequest {
  const { masks, classes, ignore, background, predictions, matching, refuseForeign } = request;
  const given = typeof matching === 'string' ? undefined : matching;
  const rules = { masks, classes, ignore, background, predictions, continue: request.continue };
  return { ...rules, given, threshold, refuseForeign, known: knownIds(request) };
}

/** Predicted ids that are expected; undefined where any may be. */
function knownIds({ matching, classes, background }: EvaluationRequest): number[] | undefined {
  if (typeof matching !== 'string') return listedIds(matching);
  if (matching !== 'none' || classes === undefined) return undefined;
  return Array.from({ length: background === 'auto' ? classes + 1 : classes }, (_, id) => id);
}

/** @throws PermanentError if a given matching leads to a class there is not */
function assertOfThisSet({ matching, classes, background }: EvaluationRequest): void {
  if (typeof matching === 'string' || classes === undefined) return;
  const highest = background === 'auto' ? classes : classes - 1;
  const wrong = [...matching.classOf].find(([, id]) => id > highest);
  if (wrong) {
    throw new PermanentError(
      `${matching.kind} matches ${wrong[0]} to class ${wrong[1]}, above the highest class ${highest}; is it of another set?`,
    );
  }
}

/** Batches on every core; what came of them, in the order of the masks. */
async function* counted(ports: EvaluationPorts, request: CountRequest, masks: readonly string[]) {
  const batches = Array.from({ length: Math.ceil(masks.length / batchSize) }, (_, i) =>
    masks.slice(i * batchSize, (i + 1) * batchSize),
  );
  const countBatch = ports.countBatch ?? ((wanted, names) => countPairs(ports, wanted, names));
  let done = 0;
  for await (const batch of mapInOrder(batches, 2 * ports.threads, names => countBatch(request, names))) {
    done = Math.min(masks.length, done + batchSize);
    ports.log.progress('evaluate', request.threshold === 'sweep' ? 'thresholds' : 'masks', done, masks.length);
    yield batch;
  }
}

interface CountedAll {
  readonly tally: Tally;
  readonly joined: Tally | undefined;
  readonly skipped: { image: string; reason: string }[];
  readonly ignored: string[];
  readonly foreign: ForeignId[];
}

async function count(ports: EvaluationPorts, request: CountRequest, masks: readonly string[]): Promise<CountedAll> {
  const tally = new Tally(request.background);
  let joined: Tally | undefined;
  const skipped: CountedAll['skipped'] = [];
  const ignored: string[] = [];
  const foreign: ForeignId[] = [];
  for await (const batch of counted(ports, request, masks)) {
    tally.merge(tallyFromBytes(batch.tally!));
    if (batch.joined) {
      joined ??= new Tally(request.background);
      joined.merge(tallyFromBytes(batch.joined));
    }
    skipped.push(...batch.skipped);
    foreign.push(...batch.foreign);
    ignored.push(...batch.ignored);
  }
  return { tally, joined, skipped, ignored, foreign };
}

/** All 81 thresholds of the method in one pass. */
async function sweepThresholds(
  ports: EvaluationPorts,
  request: EvaluationRequest,
  masks: readonly string[],
): Promise<SweepResult> {
  const sweep = new ThresholdSweep();
  for await (const batch of counted(ports, countRequest(request, 'sweep'), masks)) {
    sweep.merge(sweepFromBytes(batch.sweep!));
  }
  const highest = Math.max(0, ...[...sweep.counts.truth.entries()].map(([id]) => id));
  if (sweep.counts.truth.size === 0) throw new PermanentError('nothing to try thresholds on: no pair was counted');
  return sweep.best((request.classes ?? highest) + 1, sweepMatching(request.matching, sweep));
}

function sweepMatching(matching: EvaluationRequest['matching'], { counts }: ThresholdSweep) {
  if (typeof matching !== 'string') return matching.classOf;
  if (matching !== 'none') return matching;
  return new Map([...counts.cells.entries()].map(([key]) => Math.floor(key / 65536)).map(id => [id, id]));
}

function measure(
  ports: EvaluationPorts,
  { tally, joined }: CountedAll,
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

const levelsOf = (
  { text, file }: NonNullable<EvaluationRequest['hierarchy']>,
  names: ReadonlyMap<number, string>,
  { classes }: Metrics,
): Level[] => readHierarchy(text, file, names, classes);

const coarse = (tally: Tally, { matching }: Metrics, levels: readonly Level[]): LevelMetrics[] =>
  levelMetrics(tally, new Map(Object.entries(matching).map(([predicted, id]) => [Number(predicted), id])), levels);

async function countExtras(ports: EvaluationPorts, predictions: string, masks: readonly string[]): Promise<number> {
  const known = new Set(masks);
  const extra = (await listMasks({ store: ports.predictions }, predictions)).filter(name => !known.has(name));
  if (extra.length > 0) {
    ports.log.note(`label maps without a mask, not counted: ${someOf(extra)}`);
  }
  return extra.length;
}

function noteForeign(ports: EvaluationPorts, [first, ...others]: readonly ForeignId[]): void {
  if (!first) return;
  const more = others.length ? `, and ${others.length} more label maps hold such` : '';
  ports.log.note(`ids that are no class match nothing: ${first.image} holds ${first.id}${more}`);
}

function noteIgnored(ports: EvaluationPorts, masks: readonly string[]): void {
  if (masks.length > 0)
    ports.log.note(`masks that are ignored altogether, which count as images without a right class: ${someOf(masks)}`);
}

/** @returns how many */
function noteAbsentClasses(ports: EvaluationPorts, { perClass }: Metrics): number {
  const absent = perClass.filter(({ pixels }) => pixels === 0).map(({ id, name }) => `${id} (${name})`);
  if (absent.length > 0) {
    ports.log.note(`classes that occur in no mask, 0 in miou and left out of miouForeground: ${someOf(absent)}`);
  }
  return absent.length;
}

/** The first few, and how many there are. */
function someOf(names: readonly string[], shown = 3): string {
  const more = names.length > shown ? `, … (${names.length} in all)` : '';
  return names.slice(0, shown).join(', ') + more;
}
