/** What the learned gate is worth beside the self-trained head and the untrained norm: foreground IoU and AUROC, no labels used. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, parse } from 'node:path';
import { inflateSync } from 'node:zlib';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { decodeIndexPng } from '#core/formats/png-index';
import { resizeMap } from '#core/image/resize-map';
import { openPublished, runModel } from '#pipeline/labeller';
import { writeSceneFolder } from '../cli/scene-folder.ts';
import { openWorkplace } from '../cli/workplace.ts';
import { remember } from './cells.ts';
import { dataFolder, median, mobilenet, runOn, three } from './data.ts';
import { foregroundIou } from './masks.ts';

/** Of training, for each seed: about so many, in whole passes over the photos, so that a row can be had again. */
const steps = Number(process.env.BENCH_STEPS ?? 64);
/** Of each set, spread evenly; all where it has no more. */
const most = Number(process.env.BENCH_PHOTOS ?? 64);
const sets = (process.env.BENCH_SETS ?? 'coco128,ccp,pets,scenes').split(',');
const seeds = (process.env.BENCH_SEEDS ?? '0,1,2').split(',').map(Number);
const form = process.env.BENCH_GATE ?? 'projected';
const kinds = (process.env.BENCH_KINDS ?? 'norm,self-trained,pass').split(',');
/** Photos per step. */
const batch = Number(process.env.BENCH_BATCH ?? 8);

/** What one run gave. */
interface Result {
  readonly iou: number;
  readonly auroc: number;
  readonly steps: number;
  readonly photos: number;
  /** Of the stage that trains. */
  readonly seconds: number;
}

/** `npm run bench -- attention`. */
export async function attention(): Promise<void> {
  console.log(`gate ${form}, batches of ${batch}, seeds ${seeds.join(', ')}; not refined, Otsu's threshold\n`);
  console.log('| set | photos | attention | foreground IoU | AUROC | steps | minutes |\n|---|---|---|---|---|---|---|');
  for (const set of sets)
    for (const kind of kinds) {
      const results: Result[] = [];
      for (const seed of seeds) {
        const cell = ['attention', set, kind, seed, most, ...(kind === 'pass' ? [form, batch, steps] : [])].join(' ');
        results.push(await remember(cell, async () => measure(set, await folderOf(set), kind, seed)));
      }
      report(set, kind, results);
    }
}

function report(set: string, kind: string, results: readonly Result[]): void {
  const say = (values: number[]) =>
    new Set(values.map(three)).size === 1
      ? three(values[0])
      : `${three(median(values))} (${values.map(three).join(', ')})`;
  const { photos, steps } = results[0]!;
  const minutes = median(results.map(one => one.seconds)) / 60;
  console.log(
    `| ${set} | ${photos} | ${kind} | ${say(results.map(one => one.iou))} | ${say(results.map(one => one.auroc))} | ${steps || '–'} | ${minutes.toFixed(1)} |`,
  );
}

/** Photos and masks; generated scenes where no test data is needed. @throws Error if the test data is not there */
async function folderOf(set: string): Promise<string> {
  const folder = `.bench/attention/${set}-photos`;
  if (existsSync(folder)) return folder;
  if (set === 'scenes') {
    await writeSceneFolder(new SharpCodec(), folder, most, 7);
    return folder;
  }
  const whole = `${dataFolder}/segmentation/${set}`;
  if (!existsSync(whole)) throw new Error(`no test data at ${whole}; set SELFLABEL_DATA`);
  for (const part of ['images', 'masks']) mkdirSync(`${folder}/${part}`, { recursive: true });
  const names = readdirSync(`${whole}/images`).sort();
  const count = Math.min(most, names.length);
  for (let i = 0; i < count; i++) {
    const name = names[Math.floor((i * names.length) / count)]!;
    const mask = `${parse(name).name}.png`;
    copyFileSync(`${whole}/images/${name}`, `${folder}/images/${name}`);
    copyFileSync(`${whole}/masks/${mask}`, `${folder}/masks/${mask}`);
  }
  return folder;
}

async function measure(set: string, folder: string, kind: string, seed: number): Promise<Result> {
  const out = `.bench/attention/${set}-${kind}`;
  rmSync(out, { recursive: true, force: true });
  const photos = readdirSync(`${folder}/images`).length;
  const trainEpochs = Math.max(1, Math.round(steps / Math.floor(photos / batch)));
  const summary = await runOn(`${folder}/images`, out, {
    backbone: set === 'scenes' ? 'filter-bank' : mobilenet,
    attention: kind,
    refine: 'none',
    clusters: 2,
    restarts: 1,
    seed,
    ...(kind === 'pass' && { gate: form, trainEpochs, trainBatch: batch }),
  });
  const card = JSON.parse(readFileSync(join(out, 'model/card.json'), 'utf8'));
  return {
    iou: await foregroundIou(`${out}/labels`, `${folder}/masks`),
    auroc: await areaUnderCurve(out, folder),
    steps: card.attention.gate?.steps ?? 0,
    photos,
    seconds: summary.seconds.attend ?? 0,
  };
}

const bins = 4096;

/** Of the published model's foreground score, upsampled bilinearly, over all pixels that count. */
async function areaUnderCurve(out: string, folder: string): Promise<number> {
  const { ports, close } = await openWorkplace(out, [], {});
  const labeller = await openPublished(ports, 'model/');
  const pixels: { scores: Float32Array; ids: Uint8Array | Uint16Array }[] = [];
  try {
    for (const name of readdirSync(`${folder}/images`)) {
      const mask = readFileSync(`${folder}/masks/${parse(name).name}.png`);
      const { ids, width, height } = await decodeIndexPng(mask, async bytes => inflateSync(bytes), name);
      const { image } = await ports.images.decode(readFileSync(`${folder}/images/${name}`));
      const { foreground } = await runModel(ports, labeller, image);
      const map = foreground!;
      pixels.push({ scores: resizeMap(map.data, map.height, map.width, height, width), ids });
    }
  } finally {
    await labeller.model.release();
    await close();
  }
  return areaOf(pixels);
}

/** Share of pairs of an object's and a background's pixel in which the object's score is higher; ties count half. */
function areaOf(pixels: readonly { scores: Float32Array; ids: Uint8Array | Uint16Array }[]): number {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { scores } of pixels)
    for (const score of scores) {
      low = Math.min(low, score);
      high = Math.max(high, score);
    }
  const [inside, outside] = [new Float64Array(bins), new Float64Array(bins)];
  for (const { scores, ids } of pixels)
    scores.forEach((score, i) => {
      if (ids[i] === 255) return;
      const bin = Math.min(bins - 1, Math.floor(((score - low) / (high - low)) * bins));
      (ids[i] ? inside : outside)[bin]!++;
    });
  let [below, pairs] = [0, 0];
  for (let bin = 0; bin < bins; bin++) {
    pairs += inside[bin]! * (below + outside[bin]! / 2);
    below += outside[bin]!;
  }
  return pairs / below / inside.reduce((a, b) => a + b);
}
