/** Stage evaluate: label maps against ground truth, shard by shard, then one set of metrics. */
import { readTar } from '#core/formats/tar';
import { keys } from '#core/job/keys';
import { finalLabels, type Plan, type PlannedImage, type PlannedShard, validationShard } from '#core/job/plan';
import { pseudoPiece } from '#core/job/progress';
import { foregroundScore, pseudoLabel } from '#core/labels/pseudo-label';
import { pixelKmeansBaseline } from '#core/metrics/baselines';
import { classIds, finish } from '#core/metrics/finish';
import { folderAgreement } from '#core/metrics/folder-agreement';
import { Tally } from '#core/metrics/tally';
import { tallyFromBytes, tallyToBytes } from '#core/metrics/tally-bytes';
import { ThresholdSweep } from '#core/metrics/threshold-sweep';
import { openAttention, runOf } from './backbone.ts';
import { readClusters } from './cluster-table.ts';
import { readJson, readObject, toJson } from './documents.ts';
import { classNames, maskOf, readTruth, truthRules } from './ground-truth.ts';
import { mapInOrder } from './in-flight.ts';
import { decodeFound, type FoundImage, findImages } from './inputs.ts';
import { runModel } from './labeller.ts';
import { finishPiece, outputKey } from './marker.ts';
import { pixelBaseline } from './pixel-baseline.ts';
import type { Ports } from './ports.ts';
import { decisionOf, openLabeller } from './run-labeller.ts';
import { tallyLabels } from './tally-labels.ts';
import { matchingOf, validate } from './validation.ts';
import { validationSet } from './validation-set.ts';

export async function evaluate(ports: Ports, plan: Plan, piece: string): Promise<void> {
  if (piece === 'threshold') return findThreshold(ports, plan);
  if (piece === 'metrics') return metrics(ports, plan);
  if (piece === validationShard) return validate(ports, plan);
  const started = ports.clock.now();
  const tally = await tallyOf(ports, plan, piece);
  await finishPiece(ports, plan, 'evaluate', piece, { tally: tallyToBytes(tally) }, { images: tally.images }, started);
}

async function tallyOf(ports: Ports, plan: Plan, piece: string): Promise<Tally> {
  if (piece === 'pixels') return pixelBaseline(ports, plan);
  const pseudo = plan.shards.find(shard => pseudoPiece(shard) === piece);
  return pseudo ? tallyShard(ports, plan, pseudo, 'label') : tallyShard(ports, plan, piece, finalLabels(plan));
}

async function tallyShard(ports: Ports, plan: Plan, shard: string, stage: 'label' | 'finetune'): Promise<Tally> {
  const packed = [...readTar(await readObject(ports.store, outputKey(plan, stage, shard, 'tar')))];
  return tallyLabels(ports, truthRules(plan), packed, shard);
}

async function metrics(ports: Ports, plan: Plan): Promise<void> {
  const started = ports.clock.now();
  const tally = await mergedTally(ports, plan, plan.shards);
  const isRun = plan.request.kind === 'run';
  const pixels = isRun
    ? tallyFromBytes(await readObject(ports.store, outputKey(plan, 'evaluate', 'pixels', 'tally')))
    : undefined;
  const agreement = isRun ? folderAgreement(await readClusters(ports.store, plan)) : null;
  const names = await classNames(ports, plan.request.masks!);
  const threshold = isRun ? await usedThreshold(ports, plan) : null;
  const matching = await matchingOf(ports, plan);
  const finished = (of: Tally, threshold: number | null) =>
    finish(of, {
      matching,
      classes: plan.classes,
      names,
      pixelKmeans: pixels ? pixelKmeansBaseline(pixels, classIds(of, plan.classes)) : null,
      nmi: agreement?.nmi ?? null,
      clusterAccuracy: agreement?.clusterAccuracy ?? null,
      threshold,
      seconds: (ports.clock.now() - started) / 1000,
    });
  const tuned = finalLabels(plan) === 'finetune';
  const pseudo = tuned && finished(await mergedTally(ports, plan, plan.shards.map(pseudoPiece)), threshold);
  const result = { ...finished(tally, tuned ? null : threshold), ...(pseudo && { pseudo }) };
  await finishPiece(ports, plan, 'evaluate', 'metrics', { json: toJson(result) }, { miou: result.miou }, started);
}

async function mergedTally(ports: Ports, plan: Plan, pieces: readonly string[]): Promise<Tally> {
  const tally = new Tally(plan.request.background);
  for (const piece of pieces)
    tally.merge(tallyFromBytes(await readObject(ports.store, outputKey(plan, 'evaluate', piece, 'tally'))));
  return tally;
}

async function usedThreshold(ports: Ports, plan: Plan): Promise<number | null> {
  const decision = await decisionOf(ports, plan);
  return decision.kind === 'threshold' ? decision.threshold : null;
}

/** The threshold found on masks, and mIoU at all that were tried, evenly from the first of `candidates` to the second. */
export interface FoundThreshold {
  readonly threshold: number;
  readonly miou: number;
  readonly candidates: readonly [number, number];
  readonly curve: readonly number[];
}

/** Candidates between the ends of the score's range: as many as the method has. */
const candidates = 81;

/**
 * The method's validation sweep: the threshold with the best mIoU on the masks, those of the validation set where there is one,
 * all candidates in one pass (method 2.6, 9).
 */
async function findThreshold(ports: Ports, plan: Plan): Promise<void> {
  const started = ports.clock.now();
  const run = runOf(plan);
  const { report } = await openAttention(ports.store, plan);
  const [low, high] = report.range;
  const sweep = new ThresholdSweep(
    Array.from({ length: candidates }, (_, i) => low + ((high - low) * i) / (candidates - 1)),
  );
  const labeller = await openLabeller(ports, plan, Number.NEGATIVE_INFINITY);
  const { decision } = labeller;
  if (decision.kind !== 'threshold') throw new Error('internal: a run decides by threshold');
  const { prefix, images, rules } = (await validationSet(ports, plan)) ?? {
    prefix: run.images,
    images: allImages(ports, plan),
    rules: truthRules(plan),
  };
  const work = async (found: FoundImage) => {
    const read = await decodeFound(ports, found);
    if (read.state === 'rejected') return undefined;
    const { scores, foreground, image } = await runModel(ports, labeller, read.decoded.image);
    const { map } = pseudoLabel(decision, scores, foreground, image);
    return {
      map,
      score: foregroundScore(decision, foreground!, image),
      truth: await readTruth(ports, rules, maskOf(read.name), image),
    };
  };
  const found = findImages(ports.store, prefix, images);
  for await (const one of mapInOrder(found, ports.tuning.threads * 3, work)) {
    if (one) sweep.add(one.map, one.score, one.truth.map, one.truth.ignore);
  }
  await labeller.model.release();
  const { threshold, miou, curve } = sweep.best(plan.classes! + (run.background === 'none' ? 0 : 1));
  const document: FoundThreshold = { threshold, miou, candidates: [low, high], curve: [...curve] };
  await finishPiece(ports, plan, 'evaluate', 'threshold', { json: toJson(document) }, { threshold, miou }, started);
}

export async function* allImages(ports: Ports, plan: Plan): AsyncGenerator<PlannedImage> {
  for (const shard of plan.shards) {
    yield* (await readJson<PlannedShard>(ports.store, keys.shard(plan.job, plan.fingerprints.plan, shard))).images;
  }
}
