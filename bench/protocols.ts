/**
 * The benchmark's protocols on three photo sets, by the commands a user would give, measured on photos that neither training nor
 * matching has seen; baselines beside. `BENCH_SETS=pets BENCH_ROWS=unsupervised,distance BENCH_SEEDS=1 BENCH_SCOPES=head
 * BENCH_EPOCHS=20` shorten it; what is done is kept in `.bench/protocol-sets`, so the same again prints at once.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import type { Baseline } from '#core/metrics/baselines';
import type { Metrics } from '#core/metrics/finish';
import { median, mobilenet, requireData, three } from './data.ts';
import { drawMaps } from './gallery.ts';
import { segmentationSets } from './gallery-sets.ts';
import { type Part, writeParts } from './protocol-sets.ts';

const sets = (process.env.BENCH_SETS ?? segmentationSets.join()).split(',');
const rows = (process.env.BENCH_ROWS ?? 'unsupervised,finetune,pixels,distance,semi-supervised').split(',');
/** Runs whose median is printed, where chance has a part. */
const seeds = [...Array(Number(process.env.BENCH_SEEDS ?? 3)).keys()];
/** What the semi-supervised protocol trains: the last layer, the whole network. */
const scopes = (process.env.BENCH_SCOPES ?? 'head,all').split(',');
const epochs = process.env.BENCH_EPOCHS ? ['--train-epochs', process.env.BENCH_EPOCHS] : [];

const program = '.bench/protocols/program/selflabel.mjs';

export async function protocols(): Promise<void> {
  requireData();
  execFileSync(process.execPath, ['build.mjs'], { stdio: 'inherit' });
  // Hours pass, and whoever builds meanwhile must not change what is measured.
  cpSync('dist', '.bench/protocols/program', {
    recursive: true,
    filter: path => !/\/(functions|layers|gpu-task|api)$/.test(path),
  });
  console.log(
    '| set | protocol | labels by | mIoU | mIoU of classes present | boundary mIoU | image accuracy | foreground IoU |',
  );
  console.log('|---|---|---|---|---|---|---|---|');
  for (const set of sets) await measure(set);
}

async function measure(set: string): Promise<void> {
  const root = `.bench/protocol-sets/${set}`;
  const counts = writeParts(set, root);
  const place = new Place(root, counts.train);
  const found = new Map<string, Metrics[]>();
  for (const kind of rows) found.set(kind, await measured(place, set, kind));
  const withBackground = [...found.values()].flat().find(({ fBeta }) => fBeta !== null);
  if (withBackground) baselineRows(set, withBackground);
  console.log(
    `\n${set}: ${counts.train} to train on, ${counts.validation} to match on, ${counts.test} to measure on\n`,
  );
  const folders = ['unsupervised-0-test/labels', 'distance', `semi-${scopes[0]}-test/labels`];
  const drawn = folders.map(name => `${root}/${name}`).filter(folder => existsSync(folder));
  await drawMaps(`${root}/test`, [`${root}/test-segmentation`, ...drawn], `.bench/protocols/${set}.png`, 12);
}

/** The rows of one kind, printed as they come. */
async function measured(place: Place, set: string, kind: string): Promise<Metrics[]> {
  const show = (protocol: string, what: string, results: Metrics[]) => {
    row(set, protocol, what, results);
    return results;
  };
  if (kind === 'unsupervised')
    return show(
      kind,
      'selflabel run',
      seeds.map(seed => place.unsupervised(seed)),
    );
  if (kind === 'finetune')
    return show(
      'unsupervised',
      'selflabel run --finetune head',
      seeds.map(seed => place.unsupervised(seed, 'head')),
    );
  if (kind === 'pixels')
    return show(
      'unsupervised',
      'k-means of pixels',
      seeds.map(seed => place.pixelKmeans(seed)),
    );
  if (kind === 'distance')
    return [
      ...show(kind, 'MobileNetV2', [place.distance(mobilenet, 'distance')]),
      ...show(kind, 'built-in filter bank', [place.distance('filter-bank', 'distance-bank')]),
    ];
  return scopes.flatMap(scope => {
    const { metrics, steps } = place.semiSupervised(scope);
    return show('semi-supervised', `train finetune, ${scope}, ${steps} steps`, [metrics]);
  });
}

/** The commands of one set. */
class Place {
  readonly #root: string;
  /** Photos to train on: no more clusters than these can be found. */
  readonly #photos: number;

  constructor(root: string, photos: number) {
    this.#root = root;
    this.#photos = photos;
  }

  /** Trained on photos alone, matched on validation, the matching used again on test. */
  unsupervised(seed: number, finetune = 'none'): Metrics {
    const out = this.#at(`unsupervised-${seed}`);
    const validation = ['--val-images', this.#images('validation'), '--val-masks', this.#masks('validation')];
    const found = ['--clusters', this.#clusters(this.#classes), '--seed', String(seed), '--finetune', finetune];
    this.#run('run', this.#images('train'), '--out', out, '--backbone', mobilenet, ...found, ...validation);
    const labelled = `${out}-test${finetune === 'none' ? '' : `-${finetune}`}`;
    this.#predict('test', out, labelled);
    return this.#evaluate('test', labelled, '--matching', `${out}/match.json`);
  }

  /** The least that clusters can do: one cluster per class and one for background, of single positions; matched by pixels. */
  pixelKmeans(seed: number): Metrics {
    const out = this.#at(`pixels-${seed}`);
    const found = ['--clusters', this.#clusters(this.#classes + 1), '--seed', String(seed)];
    const plain = ['--unit', 'pixels', '--background', 'none', '--refine', 'none', '--attention', 'norm'];
    this.#run('run', this.#images('train'), '--out', out, '--backbone', mobilenet, ...found, ...plain);
    for (const part of ['validation', 'test'] as const) this.#predict(part, out, `${out}-${part}`);
    const matching = `${out}/match.json`;
    const all = ['--background', 'none', '--classes', String(this.#classes + 1)];
    this.#evaluate('validation', `${out}-validation`, '--matching', 'pixel', '--save-matching', matching, ...all);
    return this.#evaluate('test', `${out}-test`, '--matching', matching, ...all);
  }

  distance(backbone: string, name: string): Metrics {
    const references = ['--reference-images', this.#images('train'), '--reference-masks', this.#masks('train')];
    const test = ['--images', this.#images('test'), '--masks', this.#masks('test'), '--save-labels', this.#at(name)];
    return this.#measured('evaluate', 'distance', '--backbone', backbone, ...references, ...test);
  }

  semiSupervised(scope: string): { metrics: Metrics; steps: number } {
    const out = this.#at(`semi-${scope}`);
    const given = ['--labels', this.#masks('train'), '--backbone', mobilenet, '--finetune', scope, ...epochs];
    const told = this.#run('train', 'finetune', this.#images('train'), '--out', out, ...given, '--json');
    const { steps } = JSON.parse(told) as { steps: number };
    this.#predict('test', out, `${out}-test`);
    return { metrics: this.#evaluate('test', `${out}-test`, '--matching', 'none'), steps };
  }

  #clusters = (wanted: number) => String(Math.min(wanted, this.#photos));

  get #classes(): number {
    return classesOf[this.#root.split('/').at(-1)!]!;
  }

  #predict(part: Part, model: string, out: string): void {
    this.#run('predict', this.#images(part), '--model', `${model}/model`, '--out', out);
  }

  #evaluate(part: Part, labels: string, ...words: readonly string[]): Metrics {
    return this.#measured('evaluate', '--predictions', `${labels}/labels`, '--masks', this.#masks(part), ...words);
  }

  #measured(...words: readonly string[]): Metrics {
    return JSON.parse(this.#run(...words, '--json')) as Metrics;
  }

  #run(...words: readonly string[]): string {
    mkdirSync(this.#root, { recursive: true });
    return execFileSync(process.execPath, [program, ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  }

  #at = (name: string) => `${this.#root}/${name}`;
  #images = (part: Part) => this.#at(part);
  #masks = (part: Part) => this.#at(`${part}-segmentation`);
}

/** N, by the sets' lists of classes. */
const classesOf: Readonly<Record<string, number>> = { coco128: 80, ccp: 58, pets: 2 };

/** Mean over the classes that occur, without background, whether or not it was a class like any other. */
function miouOfClasses({ perClass }: Metrics): number {
  const present = perClass.filter(({ id, pixels }) => id > 0 && pixels > 0);
  return present.reduce((sum, { iou }) => sum + iou, 0) / present.length;
}

/** Where background is a class like any other, it is the largest of most images. */
const accuracy = ({ fBeta, imageAccuracy }: Metrics) => (fBeta === null ? null : imageAccuracy);

function row(set: string, protocol: string, what: string, results: readonly Metrics[]): void {
  const of = (pick: (metrics: Metrics) => number | null) => {
    const values = results.map(pick).filter(value => value !== null);
    return three(values.length ? median(values) : null);
  };
  const numbers = [of(m => m.miou), of(miouOfClasses), of(m => m.boundaryMiou), of(accuracy), of(m => m.foregroundIou)];
  console.log(`| ${[set, protocol, what, ...numbers].join(' | ')} |`);
}

function baselineRows(set: string, { baselines }: Metrics): void {
  const line = (what: string, one: Baseline | null) =>
    one &&
    console.log(
      `| ${set} | baseline | ${what} | ${three(one.miou)} | ${three(one.miouForeground)} | – | – | ${three(one.foregroundIou)} |`,
    );
  line('everything background', baselines.allBackground);
  line('everything one class', baselines.allForeground);
  line('best centred ellipse, one class', baselines.centredEllipse);
}
