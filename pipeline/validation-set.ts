/** The validation set of a run, as planned: images with masks, apart from its own, on which threshold and matching are found. */
import { keys } from '#core/job/keys';
import { type Plan, type PlannedImage, type PlannedShard, validationShard } from '#core/job/plan';
import type { RunRequest } from '#core/job/request';
import { runOf } from './backbone.ts';
import { readJson, toJson } from './documents.ts';
import { fingerprintOf } from './fingerprints.ts';
import { assertMasked, countClasses, type TruthRules } from './ground-truth.ts';
import { readImage } from './inputs.ts';
import { listImages } from './list-images.ts';
import type { Ports } from './ports.ts';

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
  for await (const listed of listImages(ports.store, valImages)) images.push(...listed.images);
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
