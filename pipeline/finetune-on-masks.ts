/** Fine-tuning on given masks, the semi-supervised recipe (method 5.4): photos and their masks in, a published model out. */
import { PermanentError } from '#core/errors';
import { fingerprintLength } from '#core/job/keys';
import type { PlannedImage } from '#core/job/plan';
import { runRequest, settleRun } from '#core/job/request';
import type { Card } from '#core/labels/card';
import { type ClassMap, defaultClasses, formatClassMap, nameProblem } from '#core/labels/class-map';
import type { LabelMap } from '#core/labels/label-map';
import { type FineTuningTask, fineTunedModel } from '#core/training/fine-tuning';
import { semiSupervisedRecipe } from '#core/training/recipes';
import { openBackbone, recipeRule, settingsKey } from './backbone.ts';
import { fromJson, toJson } from './documents.ts';
import { assertTrainableBy } from './fine-tuning-step.ts';
import { batchFor, fineTune, lossesOf, type TrainingBudget, type TunedSummary } from './finetune.ts';
import { classNames, countClasses, listMasks, maskOf, readTruth, type TruthRules } from './ground-truth.ts';
import { mapInOrder } from './in-flight.ts';
import type { ObjectStore, Ports } from './ports.ts';
import { TrainingPictures } from './training-pictures.ts';
import { clearTraining, historyLines } from './training-run.ts';

export interface MaskTraining {
  /** Prefixes of the photos and of their masks. */
  readonly images: string;
  readonly masks: string;
  /** Key of the network, or `filter-bank`. */
  readonly backbone: string;
  readonly scope: 'head' | 'all';
  /** N; default: as the masks say. */
  readonly classes?: number | undefined;
  readonly ignore?: readonly number[] | undefined;
  readonly budget: TrainingBudget;
  readonly batch?: number | undefined;
  readonly seed: number;
  readonly name: string;
}

export interface MaskTrained extends TunedSummary {
  readonly classes: number;
  /** Photos without a mask, and files that are no photos. */
  readonly unlabelled: number;
  readonly rejected: readonly { readonly name: string; readonly reason: string }[];
}

/** In the store: where the training keeps itself. */
const trainingFolder = 'jobs/train/finetune/';
/** What the masks' ignored ids become; above every class. */
const ignored = 65_535;
const masksAtOnce = 8;

/**
 * Trains, and writes `model/model.onnx`, `model/card.json`, `model/classes.json` and `training.jsonl`. The same again goes on
 * where it was stopped, and changes nothing once it is done.
 * @throws PermanentError before anything is trained if the masks hold one class only or nothing that counts, if the batch is
 *   larger than the set, or if the backbone cannot be trained
 */
export async function finetuneOnMasks(ports: Ports, training: MaskTraining): Promise<MaskTrained> {
  const started = ports.clock.now();
  const { store } = ports;
  const fingerprint = await fingerprintOf(ports, training);
  const known = await store.get(`${trainingFolder}done.json`);
  const done = known && fromJson<{ fingerprint: string; summary: MaskTrained }>(known);
  if (done?.fingerprint === fingerprint) return done.summary;
  const recipe = semiSupervisedRecipe;
  const { backbone } = await backboneOf(store, training);
  if (training.scope === 'all') assertTrainableBy(recipe, backbone);
  const set = await labelledSet(ports, training);
  const task: FineTuningTask = {
    backbone,
    scope: training.scope,
    classes: set.classes + 1,
    batch: batchFor({ trainBatch: training.batch }, recipe, set.pictures.count, backbone.settings.batch),
    recipe,
    seed: training.seed,
    ignore: ignored,
  };
  const prefix = `${trainingFolder}${fingerprint}-`;
  const trained = await fineTune(ports, task, set.pictures, { prefix, budget: training.budget });
  const summary: MaskTrained = {
    scope: training.scope,
    recipe: 'semi-supervised',
    classes: set.classes,
    pictures: set.pictures.count,
    unlabelled: set.unlabelled,
    rejected: set.rejected,
    batch: task.batch,
    steps: trained.history.length,
    ...lossesOf(trained),
  };
  await publish(ports, training, { model: fineTunedModel(task, trained.values), summary, backbone });
  await store.put('training.jsonl', historyLines(trained.history));
  await store.put(
    `${trainingFolder}done.json`,
    toJson({ fingerprint, seconds: (ports.clock.now() - started) / 1000, summary }),
  );
  await clearTraining(store, prefix);
  return summary;
}

async function fingerprintOf({ store, digest }: Ports, training: MaskTraining): Promise<string> {
  const listed = async (prefix: string) => {
    const found: unknown[] = [];
    for await (const { key, size, etag } of store.list(prefix)) found.push([key, size, etag]);
    return found;
  };
  const network = training.backbone === 'filter-bank' ? '' : (await store.head(training.backbone))?.etag;
  const settings = (await store.head(settingsKey(training.backbone)))?.etag;
  const parts = [training, await listed(training.images), await listed(training.masks), network, settings];
  return digest.sha256(toJson(parts)).slice(0, fingerprintLength);
}

const backboneOf = async (store: ObjectStore, { backbone, images }: MaskTraining) => ({
  backbone: await openBackbone(store, settleRun(runRequest.parse({ images, backbone }))),
});

interface LabelledSet {
  readonly pictures: TrainingPictures;
  readonly classes: number;
  readonly unlabelled: number;
  readonly rejected: readonly { readonly name: string; readonly reason: string }[];
}

async function labelledSet(
  ports: Ports,
  { images: prefix, masks, classes: given, ignore }: MaskTraining,
): Promise<LabelledSet> {
  const all: PlannedImage[] = [];
  for await (const { key, size, etag } of ports.store.list(prefix))
    all.push({ name: key.slice(prefix.length), size, etag });
  const rules: TruthRules = { masks, classes: given, ignore, background: 'auto' };
  const classes = await countClasses(ports, rules, all);
  const known = new Set(await listMasks(ports, masks));
  const images = all.filter(({ name }) => known.has(maskOf(name)));
  const mapOf = (name: string, size: { width: number; height: number }) =>
    readTarget(ports, { ...rules, classes }, name, size);
  const { pictures, rejected } = await TrainingPictures.readable(ports, {
    prefix,
    images,
    shorterSide: trainedSide,
    mapOf,
  });
  await assertWorthIt(ports, pictures);
  return { pictures, classes, unlabelled: all.length - images.length, rejected };
}

/** Photos are decoded to this on their shorter side: about what full-size photos of the usual data sets have. */
const trainedSide = 384;

/** A mask with one id in place of all ignored ones. */
async function readTarget(
  ports: Ports,
  rules: TruthRules,
  name: string,
  size: { width: number; height: number },
): Promise<LabelMap> {
  const { map, ignore } = await readTruth(ports, rules, maskOf(name), size);
  return { ...map, data: map.data.map(id => (ignore.includes(id) ? ignored : id)) };
}

/** Looks at the masks until two classes were seen. */
async function assertWorthIt(ports: Ports, pictures: TrainingPictures): Promise<void> {
  if (pictures.count === 0) throw new PermanentError('none of the photos with a mask is a usable image; give photos');
  const seen = new Set<number>();
  const indices = [...Array(pictures.count).keys()];
  for await (const { map } of mapInOrder(indices, Math.min(masksAtOnce, 2 * ports.tuning.threads), i =>
    pictures.get(i),
  )) {
    for (const id of map!.data) if (id !== ignored) seen.add(id);
    if (seen.size > 1) return;
  }
  if (seen.size === 0)
    throw new PermanentError('every pixel of the masks is ignored, so there is nothing to learn; see --ignore');
  throw new PermanentError(
    `the masks hold class ${[...seen][0]} only, so there is nothing to tell apart; give masks with more`,
  );
}

interface Published {
  readonly model: Uint8Array;
  readonly summary: MaskTrained;
  readonly backbone: FineTuningTask['backbone'];
}

async function publish(ports: Ports, training: MaskTraining, { model, summary, backbone }: Published): Promise<void> {
  const { digest, store, clock } = ports;
  const { settings } = backbone;
  const builtIn = training.backbone === 'filter-bank';
  const sha256 = digest.sha256(model);
  const { rejected: _rejected, ...facts } = summary;
  const card: Card = {
    version: 1,
    name: training.name,
    modelVersion: sha256.slice(0, 12),
    created: new Date(clock.now()).toISOString(),
    clusters: summary.classes,
    decision: { kind: 'argmax' },
    inputs: { resize: recipeRule(settings), stride: settings.deep.stride },
    hashes: { model: sha256 },
    backbone: training.backbone.replace('backbones/', ''),
    method: 'semi-supervised',
    attention: { kind: 'none' },
    trainedOn: { images: summary.pictures },
    finetune: facts,
    licence: builtIn
      ? 'The built-in filter bank is part of selflabel (Apache-2.0); the classes come from your masks.'
      : 'The graph contains the weights of the backbone you gave: its licence applies to this model.',
  };
  await store.put('model/model.onnx', model);
  await store.put('model/classes.json', formatClassMap(await namedClasses(ports, training, summary.classes)));
  await store.put('model/card.json', toJson(card));
}

/** Classes by the names in `categories.txt`; a name that cannot be one, or occurs twice, is left out. */
async function namedClasses(ports: Ports, { masks }: MaskTraining, count: number): Promise<ClassMap> {
  const names = await classNames(ports, masks);
  const taken = new Set<string>();
  const { version, classes } = defaultClasses(count);
  const named = classes.map(item => {
    const name = names.get(item.id)?.trim().normalize('NFC');
    if (name === undefined || nameProblem(name) || taken.has(name)) return item;
    taken.add(name);
    return { ...item, name };
  });
  return { version, classes: named };
}
