/** The validation set of a run: images with masks, apart from its own, on which threshold and matching are found. */
import { type TarEntry, writeTar } from '#core/formats/tar';
import { keys } from '#core/job/keys';
import { finalLabels, type Plan, type PlannedImage, type PlannedShard, validationShard } from '#core/job/plan';
import type { RunRequest } from '#core/job/request';
import { finish, type Metrics } from '#core/metrics/finish';
import type { Matching } from '#core/metrics/matching';
import { readMatching, writeMatching } from '#core/metrics/saved-matching';
import { runOf } from './backbone.ts';
import { readJson, toJson } from './documents.ts';
import { fingerprintOf } from './fingerprints.ts';
import { assertMasked, classNames, countClasses, type TruthRules } from './ground-truth.ts';
import { readImage } from './inputs.ts';
import { labelImages } from './label.ts';
import { listImages } from './list-images.ts';
import { finishPiece, outputKey } from './marker.ts';
import type { Ports } from './ports.ts';
import { decisionOf, openLabeller, openTuned } from './run-labeller.ts';
import { tallyLabels } from './tally-labels.ts';

/** Beside label maps: the matching found, by the name under which people get it. */
export const matchingFile = 'match.json';

export interface PlannedValidation {
  readonly fingerprint: string;
  /** N by the validation masks. */
  readonly classes: number;
}

/**
 * Lists the validation images and keeps them as a shard of their own.
 * @throws PermanentError if there are none, or one has no mask
 */
export async function planValidation(
  ports: Ports,
  job: string,
  { valImages, valMasks, classes, ignore, background }: RunRequest,
): Promise<PlannedValidation | undefined> {
  if (!valImages || !valMasks) return undefined;
  const images: PlannedImage[] = [];
  for await (const { image } of listImages(ports.store, valImages)) images.push(image);
  const counted = await countClasses(ports, { masks: valMasks, classes, ignore, background }, images);
  const readable = async (image: PlannedImage) => (await readImage(ports, valImages, image)).state === 'read';
  await assertMasked(ports, valMasks, images, readable);
  const fingerprint = fingerprintOf(ports, 'plan', valImages, images);
  await ports.store.putNew(keys.shard(job, fingerprint, validationShard), toJson({ shard: validationShard, images }));
  return { fingerprint, classes: counted };
}

/** The validation images and how their masks are read; undefined for a run without such a set. */
export async function validationSet(
  { store }: Pick<Ports, 'store'>,
  plan: Plan,
): Promise<{ prefix: string; images: readonly PlannedImage[]; rules: TruthRules } | undefined> {
  if (!plan.validation) return undefined;
  const { valImages, valMasks, ignore, background } = runOf(plan);
  const { images } = await readJson<PlannedShard>(store, keys.shard(plan.job, plan.validation, validationShard));
  return { prefix: valImages!, images, rules: { masks: valMasks!, classes: plan.classes, ignore, background } };
}

/** Labels the validation images by the finished model and measures them; the matching found is that of the job. */
export async function validate(ports: Ports, plan: Plan): Promise<void> {
  const started = ports.clock.now();
  const { prefix, images, rules } = (await validationSet(ports, plan))!;
  const tuned = finalLabels(plan) === 'finetune';
  const labeller = tuned ? await openTuned(ports, plan) : await openLabeller(ports, plan);
  const progress = (done: number) => ports.log.progress('evaluate', 'validation images', done, images.length);
  const packed: TarEntry[] = [];
  for (const { image, png } of await labelImages(ports, { prefix, images }, labeller, progress)) {
    if (png) packed.push({ name: `${image.name}.png`, bytes: png });
    else if (image.state === 'rejected') ports.log.note(`validation image ${image.name}: ${image.reason}`);
  }
  const tally = await tallyLabels(ports, rules, packed, validationShard);
  const decision = tuned ? undefined : await decisionOf(ports, plan);
  const metrics = finish(tally, {
    matching: 'image',
    classes: plan.classes,
    names: await classNames(ports, rules.masks),
    threshold: decision?.kind === 'threshold' ? decision.threshold : null,
    seconds: (ports.clock.now() - started) / 1000,
  });
  const outputs = { tar: writeTar(packed), json: toJson(metrics) };
  await finishPiece(ports, plan, 'evaluate', validationShard, outputs, { miou: metrics.miou }, started);
}

/** What the validation set was measured at. */
export const validationMetrics = ({ store }: Pick<Ports, 'store'>, plan: Plan): Promise<Metrics> =>
  readJson<Metrics>(store, outputKey(plan, 'evaluate', validationShard, 'json'));

/** The matching of the validation set; `image` where there is none: it is found on the masks that are measured. */
export async function matchingOf(ports: Pick<Ports, 'store'>, plan: Plan): Promise<Matching | 'image'> {
  if (!plan.validation) return 'image';
  const { matching } = await validationMetrics(ports, plan);
  return readMatching(writeMatching(matching), matchingFile, plan.request.background);
}
