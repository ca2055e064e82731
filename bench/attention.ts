/** What the learned gate is worth beside the self-trained head and the untrained norm: foreground IoU and AUROC, no labels used. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, parse } from 'node:path';
import { inflateSync } from 'node:zlib';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { decodeIndexPng } from '#core/formats/png-index';
import { resizeMap } from '#core/image/resize-map';
import { openPublished, runModel } from '#pipeline/labeller';
import { writeSceneFolder } from '../cli/scene-folder.ts';
import { openWorkplace } from '../cli/workplace.ts';
import { dataFolder, median, mobilenet, runOn, three } from './data.ts';
import { foregroundIou } from './masks.ts';

/** Of training, for each seed. */
const minutes = Number(process.env.BENCH_MINUTES ?? 3);
const sets = (process.env.BENCH_SETS ?? 'coco128,ccp,pets,scenes').split(',');
const seeds = (process.env.BENCH_SEEDS ?? '0,1,2').split(',').map(Number);
const form = process.env.BENCH_GATE ?? 'projected';
const kinds = (process.env.BENCH_KINDS ?? 'norm,self-trained,pass').split(',');
/** Photos per step; the program's own choice where it is not given. */
const batch = process.env.BENCH_BATCH ? Number(process.env.BENCH_BATCH) : undefined;

/** `npm run bench -- attention`. */
export async function attention(): Promise<void> {
  console.log(
    `gate ${form}, ${minutes} minutes of training per seed, seeds ${seeds.join(', ')}; not refined, Otsu's threshold\n`,
  );
  console.log('| set | attention | foreground IoU | AUROC | steps |\n|---|---|---|---|---|');
  for (const set of sets) {
    const folder = await folderOf(set);
    for (const kind of kinds) await measure(set, folder, kind, kind === 'pass' ? seeds : [0]);
  }
}

/** Photos and masks; generated scenes where no test data is needed. @throws Error if the test data is not there */
async function folderOf(set: string): Promise<string> {
  if (set !== 'scenes') {
    const folder = `${dataFolder}/segmentation/${set}`;
    if (!existsSync(folder)) throw new Error(`no test data at ${folder}; set SELFLABEL_DATA`);
    return folder;
  }
  const folder = '.bench/attention/scenes';
  await writeSceneFolder(new SharpCodec(), folder, 96, 7);
  return folder;
}

async function measure(set: string, folder: string, kind: string, wanted: readonly number[]): Promise<void> {
  const results: { iou: number; auroc: number; steps: number }[] = [];
  for (const seed of wanted) {
    const out = `.bench/attention/${set}-${kind}`;
    await runOn(`${folder}/images`, out, {
      backbone: set === 'scenes' ? 'filter-bank' : mobilenet,
      attention: kind,
      refine: 'none',
      clusters: 2,
      restarts: 1,
      seed,
      ...(kind === 'pass' && { gate: form, trainMinutes: minutes, ...(batch && { trainBatch: batch }) }),
    });
    const card = JSON.parse(readFileSync(join(out, 'model/card.json'), 'utf8'));
    const iou = await foregroundIou(`${out}/labels`, `${folder}/masks`);
    results.push({ iou, auroc: await areaUnderCurve(out, folder), steps: card.attention.gate?.steps ?? 0 });
  }
  const say = (values: number[]) =>
    values.length === 1 ? three(values[0]) : `${three(median(values))} (${values.map(three).join(', ')})`;
  const steps = results.map(one => one.steps).join(', ');
  console.log(
    `| ${set} | ${kind} | ${say(results.map(one => one.iou))} | ${say(results.map(one => one.auroc))} | ${kind === 'pass' ? steps : '–'} |`,
  );
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
