/** The validation set of a run, labelled and measured: the matching found on it is that of the job. */
import { type TarEntry, writeTar } from '#core/formats/tar';
import { finalLabels, type Plan, validationShard } from '#core/job/plan';
import { finish, type Metrics } from '#core/metrics/finish';
import type { Matching } from '#core/metrics/matching';
import { completeMatching, readMatching, writeMatching } from '#core/metrics/saved-matching';
import { readJson, readObject, toJson } from './documents.ts';
import { classNames } from './ground-truth.ts';
import { labelImages } from './label.ts';
import { finishPiece, outputKey } from './marker.ts';
import type { Ports } from './ports.ts';
import { decisionOf, openLabeller, openTuned } from './run-labeller.ts';
import { tallyLabels } from './tally-labels.ts';
import { validationSet } from './validation-set.ts';

/** The matching found, by the name under which people get it. */
export const matchingFile = 'match.json';

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
  const { matching, unmatched } = completeMatching(metrics.matching, labeller.clusters, classesOf(metrics));
  const match = new TextEncoder().encode(writeMatching(matching, unmatched));
  const outputs = { tar: writeTar(packed), json: toJson(metrics), [matchingFile]: match };
  await finishPiece(ports, plan, 'evaluate', validationShard, outputs, { miou: metrics.miou }, started);
}

/** What the validation set was measured at. */
export const validationMetrics = ({ store }: Pick<Ports, 'store'>, plan: Plan): Promise<Metrics> =>
  readJson<Metrics>(store, outputKey(plan, 'evaluate', validationShard, 'json'));

/** Ids of all classes, without background where there is one. */
const classesOf = ({ perClass, classes }: Metrics): number[] => perClass.slice(-classes).map(({ id }) => id);

/** The matching found on the validation set, every cluster in it, as a file. */
export const validationMatching = ({ store }: Pick<Ports, 'store'>, plan: Plan): Promise<Uint8Array> =>
  readObject(store, outputKey(plan, 'evaluate', validationShard, matchingFile));

/** The matching of the validation set; `image` where there is none: it is found on the masks that are measured. */
export async function matchingOf(ports: Pick<Ports, 'store'>, plan: Plan): Promise<Matching | 'image'> {
  if (!plan.validation) return 'image';
  const text = new TextDecoder().decode(await validationMatching(ports, plan));
  return readMatching(text, matchingFile, plan.request.background);
}
