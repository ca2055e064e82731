/** Trains the pixel-attention gate of the method (2.1 to 2.3) on the photos themselves, the backbone frozen. */
import { type Gate, gateOf, type Reduction, startGate, upsampledFeatures } from '#core/attention/gate';
import { gateBatch, gateChannels, gateEpochs, gateRate, prototypeCount, viewSide } from '#core/attention/gate-size';
import { backbonePrefix, type EmbeddingHead, type GateTraining, gateStep } from '#core/attention/gate-step';
import type { Backbone } from '#core/attention/segmentation-model';
import { queueLength } from '#core/attention/swav-loss';
import { unitRows } from '#core/clustering/unit-rows';
import { PermanentError } from '#core/errors';
import { l2Normalize } from '#core/graph/layers';
import { mul, reduceMean } from '#core/graph/ops';
import { type ConstantTensor, constant, constantData, type Tensor } from '#core/graph/tensor';
import { contrastiveAugmentation } from '#core/image/augmentation';
import type { PlannedImage } from '#core/job/plan';
import type { SettledRun } from '#core/job/request';
import { Random, seedOf } from '#core/random';
import { scene } from '#core/scenes/scene';
import { assertBatch, stepsPerEpoch } from '#core/training/data-order';
import { viewInput } from '#core/training/view-input';
import { type GateFacts, sizeRule } from './backbone.ts';
import { naming } from './documents.ts';
import { principalProjection, projectRows } from './feature-space.ts';
import { lossesOf } from './finetune.ts';
import { seededGate } from './gate-start.ts';
import { runKmeans } from './kmeans.ts';
import type { Ports } from './ports.ts';
import { samplePass } from './sample.ts';
import { TrainingPictures, viewBatch } from './training-pictures.ts';
import { runTraining, type StepRecord } from './training-run.ts';
import { tryBackbone } from './try-backbone.ts';
import { blocksInMemory } from './vector-source.ts';

export interface GateTask {
  readonly ports: Ports;
  readonly run: SettledRun;
  readonly backbone: Backbone;
  readonly images: readonly PlannedImage[];
  /** Where the run keeps its checkpoints. */
  readonly prefix: string;
}

export interface TrainedGate {
  readonly gate: Gate;
  readonly reduction?: Reduction | undefined;
  /** Of the backbone, by the names in its file; empty where it has no normalisation by batches. */
  readonly statistics: ReadonlyMap<string, { readonly dims: readonly number[]; readonly data: Float32Array }>;
  readonly history: readonly StepRecord[];
  readonly facts: GateFacts;
}

/** Fewer photos cannot tell views of one from views of another. */
const fewestPictures = 8;

/**
 * @throws PermanentError if there are too few usable photos, a batch is larger than the set, or the loss breaks
 */
export async function trainGate(task: GateTask): Promise<TrainedGate> {
  const { ports, run, backbone, prefix } = task;
  const pictures = await usablePictures(task);
  const training = await prepare(task, pictures.count);
  const batch = (training.views.image.dims[0] as number) / 2;
  const order = { count: pictures.count, batch, seed: seedOf('attend', run.seed) };
  const rules = { augmentation: contrastiveAugmentation, side: viewSide, views: 2 };
  const trained = await runTraining(ports, {
    name: 'attend',
    step: naming(backbone.name ?? 'the backbone', () => gateStep(training)),
    budget: run.trainMinutes
      ? { minutes: run.trainMinutes }
      : { steps: (run.trainEpochs ?? gateEpochs) * stepsPerEpoch(order) },
    rate: (step, steps) => gateRate({ images: task.images.length, batch }, step, steps),
    feeds: step => viewBatch(pictures, order, step, rules),
    remedy: 'give fewer photos per step (--train-batch), which lowers the rate in proportion',
    prefix,
  });
  const statistics = movedStatistics(training, trained.values);
  const facts: GateFacts = {
    form: training.reduction ? 'projected' : 'exact',
    start: formOf(task) === 'exact' ? 'random' : 'seeds',
    channels: training.gate.channels,
    projection: training.head.kind,
    prototypes: training.prototypes.dims[0]!,
    queue: training.queue,
    pictures: pictures.count,
    batch,
    steps: trained.history.length,
    ...lossesOf(trained),
    movedStatistics: statistics.size > 0,
  };
  const gate = trainedGate(training.gate, trained.values);
  return { gate, reduction: training.reduction, statistics, history: trained.history, facts };
}

/** Crops are taken from photos of twice a view's side; the method takes them from whole ones. */
async function usablePictures({ ports, run, images }: GateTask): Promise<TrainingPictures> {
  const shorterSide = run.method === 'pass' ? 100_000 : 2 * viewSide;
  const { pictures, rejected } = await TrainingPictures.readable(ports, { prefix: run.images, images, shorterSide });
  if (pictures.count >= fewestPictures) return pictures;
  const [first] = rejected;
  const why = first ? ` (${first.name}: ${first.reason})` : '';
  throw new PermanentError(
    `the pixel attention learns from at least ${fewestPictures} photos, and ${pictures.count} of ${images.length} files are usable${why}; give more, or use --attention border`,
  );
}

/** Everything the first step begins with. */
async function prepare(task: GateTask, count: number): Promise<GateTraining> {
  const { ports, run, backbone } = task;
  const { model, settings } = backbone;
  if (run.trainBatch !== undefined) assertBatch({ count, batch: run.trainBatch });
  const square = scene(1, { width: viewSide, height: viewSide }).image;
  const single: Backbone = { ...backbone, scales: 1 };
  const { deep } = await tryBackbone(ports, single, square, { sessions: 1, threadsPerSession: 1, timed: 0 });
  const { channels, height, width } = deep;
  const form = formOf(task);
  const kept = gateChannels(form, channels);
  const batch = run.trainBatch ?? gateBatch(kept, height * width, count);
  const reduction = kept < channels ? await reductionTo(kept, task, channels) : undefined;
  const gate = await startOf(task, kept, reduction);
  const { head, prototypes } = settings.projection
    ? givenHead(backbone, settings.projection, reduction)
    : await startHead(task, reduction, kept);
  return {
    model,
    settings,
    views: viewInput(2 * batch, viewSide),
    grid: { channels, height, width },
    gate,
    reduction,
    head,
    prototypes,
    queue: queueLength(count, batch, head.kind === 'given'),
  };
}

/** As asked for; else what was published for the published method and networks trained by it. */
const formOf = ({ run, backbone: { settings } }: GateTask) =>
  run.gate ?? (run.method === 'pass' || settings.projection ? 'exact' : 'projected');

/** The exact gate begins as published, knowing nothing; one behind a projection is ours, and begins at the seeds. */
function startOf(task: GateTask, channels: number, reduction?: Reduction): Gate | Promise<Gate> {
  if (formOf(task) === 'exact') return startGate(channels, new Random(seedOf('gate', task.run.seed)));
  return seededGate({ ...task, images: evenly(task.images, mostForReduction) }, channels, reduction);
}

/** Photos that the starting values are taken from, evenly from all. */
const mostForStart = 6000;
const mostForReduction = 100;

function evenly<T>(items: readonly T[], most: number): T[] {
  const count = Math.min(most, items.length);
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)]!);
}

/** What `vector` makes of the deep map of some photos: rows, one array per photo. */
async function rowsOf(
  { ports, run, backbone, images }: GateTask,
  most: number,
  vector: (deep: Tensor) => Tensor,
): Promise<Float32Array[]> {
  const rule = sizeRule(run, backbone.settings);
  const chosen = evenly(images, most);
  const pass = { features: false, seeds: false, project: ({ deep }: { deep?: Tensor }) => vector(deep!) };
  const { sampled } = await samplePass(ports, run.images, chosen, backbone, rule, pass);
  return sampled.map(({ projected }) => projected!);
}

/** The leading directions of the deep features; lengths and angles stay nearly as they are. */
async function reductionTo(kept: number, task: GateTask, channels: number): Promise<Reduction> {
  const rows = await rowsOf(task, mostForReduction, deep => deep);
  const options = { directions: kept, seed: task.run.seed, centred: false };
  const { matrix } = await principalProjection(task.ports, rows, channels, options);
  return { matrix, channels: kept };
}

/** Of the space in which images are compared (method 0). */
const mostDirections = 128;

/** A projection along the principal components of pooled vectors, and prototypes by k-means behind it. */
async function startHead(task: GateTask, reduction: Reduction | undefined, channels: number) {
  const { ports, run, images } = task;
  // An untrained gate is about one half everywhere.
  const pooled = (deep: Tensor) =>
    mul(reduceMean(l2Normalize(upsampledFeatures(deep, reduction), 1), { axes: [2, 3], keepdims: 1 }), constant(0.5));
  const rows = await rowsOf(task, mostForStart, pooled);
  const options = { directions: mostDirections, seed: run.seed, centred: true };
  const space = await principalProjection(
    ports,
    rows.map(row => row.slice()),
    channels,
    options,
  );
  const embedded = await projectRows(ports, space, rows);
  const block = new Float32Array(embedded.length * space.outputs);
  for (const [i, row] of embedded.entries()) block.set(row, i * space.outputs);
  const { centroids } = await runKmeans(
    blocksInMemory([block], space.outputs),
    {
      clusters: prototypeCount(images.length, embedded.length),
      metric: 'cosine',
      seed: seedOf('prototypes', run.seed),
    },
    ports,
  );
  const head: EmbeddingHead = {
    kind: 'trained',
    weight: constant(space.matrix, [space.outputs, channels]),
    bias: constant(space.offset, [space.outputs]),
  };
  return { head, prototypes: prototypesOf(centroids.data, centroids.count, centroids.dimension) };
}

const prototypesOf = (data: Float32Array, count: number, dimension: number): ConstantTensor =>
  constant(Float32Array.from(unitRows(data, count, dimension)), [count, dimension]);

/** The head and the prototypes in the backbone's own file. @throws PermanentError if they do not fit the gate */
function givenHead(
  { model, name }: Backbone,
  claims: NonNullable<Backbone['settings']['projection']>,
  reduction: Reduction | undefined,
): { head: EmbeddingHead; prototypes: ConstantTensor } {
  if (reduction)
    throw new PermanentError(
      `${name ?? 'the backbone'} brings a projection head for all its channels; train the exact gate (--gate exact)`,
    );
  const stored = model.constants.get(claims.prototypes) as ConstantTensor;
  const numbers = constantData(stored) as Float32Array;
  const [rows, columns] = stored.dims as readonly [number, number];
  const head = { kind: 'given', input: claims.input, output: claims.output } as const;
  // There are more prototypes than dimensions, whichever way the file keeps them.
  if (rows >= columns) return { head, prototypes: prototypesOf(numbers, rows, columns) };
  const turned = Float32Array.from(numbers, (_, i) => numbers[(i % rows) * columns + Math.floor(i / rows)]!);
  return { head, prototypes: prototypesOf(turned, columns, rows) };
}

/** The gate with the values of the last step; what stood still keeps its own. */
function trainedGate({ channels, tensors }: Gate, values: ReadonlyMap<string, Float32Array>): Gate {
  const all = [...tensors].map(
    ([name, tensor]) => [name, values.get(name) ?? (constantData(tensor) as Float32Array)] as const,
  );
  return gateOf(channels, new Map(all));
}

function movedStatistics(
  { model }: GateTraining,
  values: ReadonlyMap<string, Float32Array>,
): TrainedGate['statistics'] {
  const moved = [...values].filter(([name]) => name.startsWith(backbonePrefix));
  return new Map(
    moved.map(([key, data]) => {
      const name = key.slice(backbonePrefix.length);
      return [name, { dims: model.constants.get(name)!.dims as readonly number[], data }];
    }),
  );
}
