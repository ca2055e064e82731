/** The report page: gathers what the job knows and hands it to the page's function. */
import { keys } from '#core/job/keys';
import type { Plan } from '#core/job/plan';
import type { Receipt } from '#core/job/receipt';
import type { SettledRun } from '#core/job/request';
import type { Card } from '#core/labels/card';
import { hexOf } from '#core/labels/palette';
import type { Metrics } from '#core/metrics/finish';
import { reportPage } from '#core/pages/report';
import type {
  ClassFacts,
  Figure,
  MetricsFacts,
  ModelFacts,
  ReportData,
  ReviewItem,
  RunFacts,
} from '#core/pages/report-data';
import { openAttention, runOf } from './backbone.ts';
import { clustersOf, readChoice } from './choose-clusters.ts';
import { type ClusterTable, openClusterTable } from './cluster-table.ts';
import { addToSheets, ClassSheet, pickMembers, type SheetImage, Smallest } from './contact-sheets.ts';
import { readJson } from './documents.ts';
import type { FoundThreshold } from './evaluate.ts';
import { foregroundFacts } from './foreground-facts.ts';
import { outputKey } from './marker.ts';
import { proposeMerges, Together } from './merge-proposals.ts';
import type { ObjectStore, Ports } from './ports.ts';
import type { SettledReceipt, SettledShard } from './settle-receipt.ts';
import { mergeFacts, nearDuplicateFacts, shownNearDuplicates } from './similar-facts.ts';
import { type Thumbnail, writeThumbnails } from './thumbnails.ts';
import { trainingFacts } from './training-facts.ts';
import { validationMetrics } from './validation.ts';
import { programVersion } from './version.ts';

interface Gathered {
  readonly sheets: readonly ClassSheet[];
  readonly review: Smallest<SheetImage & { readonly labels: readonly number[] }>;
  readonly confidences: { count: number; sum: number; squares: number; below: (limit: number) => number };
  readonly together: Together;
  readonly pixels: number;
}

/** Images on the page's review list; the page says how many more there are. */
const reviewLength = 24;
/** A glance at one image with its labels. */
const secondsPerImage = 8;

export async function writeReport(
  ports: Ports,
  plan: Plan,
  { receipt, notes, bound }: SettledReceipt,
  card: Card,
  gathering: Gathering,
): Promise<void> {
  const gathered = gathering.gathered();
  const members = gathered.sheets.map(pickMembers);
  const alike = await shownNearDuplicates(ports.store, plan);
  const chosen = [...members.flat(), ...gathered.review.items.map(({ item }) => item)].map(({ name }) => name);
  const names = new Set([...chosen, ...alike.groups.flatMap(group => group.names)]);
  await removeThumbnails(ports.store, plan);
  const thumbnails = await writeThumbnails(ports, plan, names);
  const { report } = await openAttention(ports.store, plan);
  const run = runOf(plan);
  const data: ReportData = {
    run: { ...runFacts(ports, plan, run, receipt, card), bound },
    receipt: {
      counts: receipt.counts,
      rejected: receipt.rejected,
      duplicates: receipt.duplicate,
      empty: receipt.empty,
      notes: receipt.notes,
      noted: notes,
    },
    classes: gathered.sheets.map((sheet, i) => classFacts(sheet, i + 1, gathered.pixels, members[i]!, thumbnails)),
    directory: ports.place,
    review: reviewFacts(gathered, thumbnails),
    choice: (await readChoice(ports.store, plan)) ?? null,
    merges: mergeFacts(await proposeMerges(ports, plan, gathered.together)),
    nearDuplicates: nearDuplicateFacts(alike, thumbnails),
    foreground: run.background === 'none' ? null : foregroundFacts(run, report, card),
    metrics: plan.request.masks || plan.validation ? await metricsFacts(ports, plan) : null,
    model: modelFacts(card),
    training: await trainingFacts(ports.store, plan, report),
  };
  await ports.store.put(keys.published(plan.job, 'report/index.html'), new TextEncoder().encode(reportPage(data)));
}

/** Those of an earlier report of this job. */
async function removeThumbnails(store: ObjectStore, plan: Plan): Promise<void> {
  for await (const key of store.keys(keys.published(plan.job, 'report/thumbnails/'))) await store.delete(key);
}

/** Gathers what the page shows from a job's images, shard by shard. */
export class Gathering {
  readonly #rowsOf: ClusterTable;
  readonly #sheets: readonly ClassSheet[];
  readonly #review: Gathered['review'] = new Smallest(reviewLength);
  readonly #together: Together;
  readonly #confidences: Float64Array;
  #count = 0;
  #pixels = 0;

  private constructor(rowsOf: ClusterTable, clusters: number, images: number) {
    this.#rowsOf = rowsOf;
    this.#sheets = Array.from({ length: clusters }, () => new ClassSheet());
    this.#together = new Together(clusters);
    this.#confidences = new Float64Array(images);
  }

  static async of({ store }: Ports, plan: Plan): Promise<Gathering> {
    return new Gathering(await openClusterTable(store, plan), await clustersOf(store, plan), plan.images);
  }

  async add({ shard, images }: SettledShard): Promise<void> {
    const rows = await this.#rowsOf(shard, new Set(images.map(({ name }) => name)));
    for (const image of images) {
      this.#together.add(image);
      if (image.state === 'rejected' || image.state === 'duplicate') continue;
      this.#pixels += image.width * image.height;
      addToSheets(this.#sheets, image, rows.get(image.name));
      if (image.state === 'empty') continue;
      this.#confidences[this.#count++] = image.confidence;
      const labels = [...image.labels].sort((a, b) => b[1] - a[1]).map(([label]) => label);
      this.#review.add(image.confidence, { ...image, distance: null, labels });
    }
  }

  gathered(): Gathered {
    const all = this.#confidences.subarray(0, this.#count);
    const confidences = {
      count: all.length,
      sum: all.reduce((a, b) => a + b, 0),
      squares: all.reduce((a, b) => a + b * b, 0),
      below: (limit: number) => all.reduce((n, confidence) => n + (confidence < limit ? 1 : 0), 0),
    };
    const [sheets, review, together, pixels] = [this.#sheets, this.#review, this.#together, this.#pixels];
    return { sheets, review, together, pixels, confidences };
  }
}

function classFacts(
  sheet: ClassSheet,
  id: number,
  pixels: number,
  members: ReturnType<typeof pickMembers>,
  thumbnails: Map<string, Thumbnail>,
): ClassFacts {
  return {
    id,
    name: `class ${id}`,
    clusters: [id - 1],
    color: hexOf(id),
    ignore: false,
    images: sheet.images,
    pixels: sheet.pixels,
    share: pixels ? sheet.pixels / pixels : 0,
    // Half the squared distance of unit vectors is one minus their cosine.
    cohesion: sheet.owned ? Math.max(0, 1 - sheet.squaredDistances / sheet.owned / 2) : null,
    confidence: sheet.images ? sheet.confidences / sheet.images : null,
    members: members.map(({ name, group, distance, confidence }) => ({
      image: name,
      group,
      distance: half(distance),
      confidence,
      ...thumbnails.get(name)!,
    })),
  };
}

const half = (distance: number | null): Figure => (distance === null ? null : distance ** 2 / 2);

function reviewFacts({ review, confidences }: Gathered, thumbnails: Map<string, Thumbnail>): ReportData['review'] {
  const { count, sum, squares, below } = confidences;
  const mean = count ? sum / count : 0;
  const limit = Math.max(0, mean - Math.sqrt(Math.max(0, squares / Math.max(1, count) - mean ** 2)));
  const suggested = below(limit);
  const items = review.items.slice(0, suggested).map(
    ({ item }, i): ReviewItem => ({
      image: item.name,
      confidence: item.confidence,
      classes: item.labels,
      reasons: reasonsFor(item.labels, i),
      ...thumbnails.get(item.name)!,
    }),
  );
  const rule = `confidence below ${limit.toFixed(3)}: more than one standard deviation under the mean of ${mean.toFixed(3)}`;
  return { items, suggested, rule, secondsPerImage };
}

function reasonsFor(labels: readonly number[], place: number): string[] {
  const reasons = [place === 0 ? 'lowest confidence of all' : 'its pixels lie almost as near to another class'];
  const [first, second, ...more] = labels;
  if (second !== undefined)
    reasons.push(
      more.length
        ? `shared by class ${first}, class ${second} and ${more.length} more`
        : `shared by class ${first} and class ${second}`,
    );
  return reasons;
}

function runFacts(ports: Ports, plan: Plan, run: SettledRun, receipt: Receipt, card: Card): Omit<RunFacts, 'bound'> {
  const { dollars: _dollars, machineHours: _hours, ...timing } = receipt.timing as Record<string, number>;
  const perImage = new Set(['embed', 'label', 'finetune']);
  return {
    job: run.name,
    finished: card.created,
    version: programVersion,
    device: ports.models.device,
    threads: ports.tuning.threads,
    stages: Object.entries(timing).map(([name, seconds]) => ({
      name,
      seconds,
      images: perImage.has(name) ? plan.images : null,
    })),
    totalSeconds: Object.values(timing).reduce((a, b) => a + b, 0),
    peakMemoryBytes: null,
    backbone: { name: card.backbone, sha256: card.hashes.backbone ?? null, builtIn: run.backbone === 'filter-bank' },
    settings: Object.entries(receipt.settings).map(([name, value]) => [name, String(value)] as const),
    command: commandOf(plan, run),
  };
}

/** The command that does the same again; only what differs from the defaults. */
function commandOf(plan: Plan, run: SettledRun): string {
  const parts = ['selflabel run IMAGES --out DIR'];
  if (run.backbone !== 'filter-bank') parts.push(`--backbone ${run.backbone.replace('backbones/', '')}`);
  parts.push(`--clusters ${plan.clusters}`);
  if (run.sample) parts.push(`--sample ${run.sample}`);
  if (plan.request.masks) parts.push('--masks MASKS');
  if (plan.validation) parts.push('--val-images IMAGES --val-masks MASKS');
  if (run.method !== 'selflabel') parts.push(`--method ${run.method}`);
  if (run.attention !== (run.method === 'pass' ? 'pass' : 'self-trained'))
    parts.push(`--attention ${run.attention.replace('backbones/', '')}`);
  if (run.gate) parts.push(`--gate ${run.gate}`);
  if (run.unit !== 'segments') parts.push(`--unit ${run.unit}`);
  if (run.refine !== 'guided') parts.push(`--refine ${run.refine}`);
  if (run.background !== 'auto') parts.push(`--background ${run.background}`);
  if (run.scales !== 1) parts.push(`--scales ${run.scales}`);
  if (run.threshold !== 'from-scores') parts.push(`--threshold ${run.threshold}`);
  if (run.restarts !== (run.method === 'pass' ? 30 : 10)) parts.push(`--restarts ${run.restarts}`);
  if (run.finetune !== 'none') parts.push(`--finetune ${run.finetune}`);
  if (run.trainMinutes) parts.push(`--train-minutes ${run.trainMinutes}`);
  if (run.trainEpochs) parts.push(`--train-epochs ${run.trainEpochs}`);
  if (run.trainBatch) parts.push(`--train-batch ${run.trainBatch}`);
  if (run.seed !== 0) parts.push(`--seed ${run.seed}`);
  return parts.join(' ');
}

async function metricsFacts(ports: Ports, plan: Plan): Promise<MetricsFacts> {
  const own = plan.request.masks !== undefined;
  const metrics = own
    ? await readJson<Metrics>(ports.store, outputKey(plan, 'evaluate', 'metrics', 'json'))
    : await validationMetrics(ports, plan);
  const { pseudo: _pseudo, ...final } = metrics;
  return {
    ...final,
    skipped: metrics.skipped.map(({ image }) => image),
    ...(!own && { validation: true }),
    ...(runOf(plan).threshold === 'from-masks' && { thresholdCurve: await thresholdCurve(ports.store, plan) }),
  };
}

/** mIoU at every threshold that was tried on masks. */
async function thresholdCurve(store: ObjectStore, plan: Plan): Promise<MetricsFacts['thresholdCurve'] & {}> {
  const { candidates, curve } = await readJson<FoundThreshold>(store, outputKey(plan, 'evaluate', 'threshold', 'json'));
  const [low, high] = candidates;
  return curve.map((miou, i) => ({ threshold: low + ((high - low) * i) / (curve.length - 1), miou }));
}

const sampleWords = ({ trainedOn: { sample } }: Card): string =>
  typeof sample === 'number' ? `; classes from a sample of ${sample}` : '';

function modelFacts(card: Card): ModelFacts {
  return {
    name: card.name,
    version: card.modelVersion,
    file: 'model/model.onnx',
    decision: card.decision,
    input: { shorterSide: card.inputs.resize.shorterSide, stride: card.inputs.stride },
    hashes: Object.entries(card.hashes),
    facts: [
      ['trained on', `${card.trainedOn.images} files, no labels${sampleWords(card)}`],
      ['backbone', card.backbone],
      ['attention', card.attention.kind],
      ['classes', String(card.clusters)],
    ],
    licenceNotes: [card.licence],
  };
}
