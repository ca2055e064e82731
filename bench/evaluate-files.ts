/**
 * `evaluate` from PNG files at the size of ImageNet-S-919's validation set, beside merely decoding those files, in one run; and
 * its memory at 40,000 masks. `BENCH_MASKS=1000,3000` asks for other numbers. The files are made once, under `.bench/evaluate-masks`.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, linkSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { encodeImageNetSPng } from '#core/formats/png-index';
import type { LabelMap } from '#core/labels/label-map';
import type { Metrics } from '#core/metrics/finish';
import { mapInOrder } from '#pipeline/in-flight';
import { classes, maskAndGuess } from './outlines.ts';
import { megabytes } from './size.ts';

const [timed, large] = (process.env.BENCH_MASKS ?? '12419,40000').split(',').map(Number) as [number, number];
const root = '.bench/evaluate-masks';
const sides = ['masks', 'predictions'] as const;
const decodingGoal = 3;
const memoryGoal = 600e6;
/** Between two looks at the process. */
const everyMilliseconds = 100;
const cores = availableParallelism();

const nameOf = (index: number) => `n${String(index % classes).padStart(8, '0')}/ILSVRC2012_val_${index}.png`;
const filesOf = (folder: string, count: number) =>
  Array.from({ length: count }, (_, index) => sides.map(side => join(folder, side, nameOf(index)))).flat();

export async function evaluateFiles(): Promise<void> {
  execFileSync(process.execPath, ['build.mjs'], { stdio: 'inherit' });
  await compare(await makeFiles(timed));
  await measureMemory(linkFiles(large));
}

async function compare(folder: string): Promise<void> {
  const files = filesOf(folder, timed);
  const before = await decodeAll(files);
  const measured = await evaluateFolder(folder);
  const after = await decodeAll(files);
  const decoding = { wall: (before.wall + after.wall) / 2, processor: (before.processor + after.processor) / 2 };
  console.log(
    `${timed} masks and label maps of 500×375, ${classes} classes, ${cores} cores; seconds on the clock (of processor)`,
  );
  console.log(`decoding both before ${say(before)}, after ${say(after)}`);
  console.log(
    `evaluate             ${say(measured)}, mIoU ${measured.metrics.miou.toFixed(4)}, peak ${megabytes(measured.peak)}`,
  );
  const ratios = [measured.wall / decoding.wall, measured.processor / decoding.processor];
  console.log(`ratio                ${ratios[0]!.toFixed(2)} (${ratios[1]!.toFixed(2)}); the goal is ${decodingGoal}`);
}

async function measureMemory(folder: string): Promise<void> {
  const { peak, metrics, ...times } = await evaluateFolder(folder);
  console.log(
    `${metrics.images} masks: ${say(times)}, peak memory ${megabytes(peak)}; the goal is ${megabytes(memoryGoal)}`,
  );
}

interface Times {
  readonly wall: number;
  readonly processor: number;
}

const say = ({ wall, processor }: Times) => `${wall.toFixed(1)} (${processor.toFixed(1)})`;

/** Every mask and its label map, drawn and written once. */
async function makeFiles(count: number): Promise<string> {
  const folder = join(root, String(count));
  if (existsSync(join(folder, 'done'))) return folder;
  const codec = new SharpCodec();
  const encode = (map: LabelMap) => encodeImageNetSPng(map, bytes => codec.deflate(bytes));
  const write = async (index: number) => {
    const { truth, prediction } = maskAndGuess(index);
    for (const [side, map] of [
      ['masks', truth],
      ['predictions', prediction],
    ] as const) {
      const file = join(folder, side, nameOf(index));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, await encode(map));
    }
  };
  for await (const _ of mapInOrder(Array(count).keys(), 8, write));
  writeFileSync(join(folder, 'done'), '');
  return folder;
}

/** More pairs out of those made: each label map also beside the masks of others, so that pairs of ids do not repeat. */
function linkFiles(count: number): string {
  const folder = join(root, String(count));
  if (existsSync(join(folder, 'done'))) return folder;
  for (let index = 0; index < count; index++) {
    const shift = 17 * Math.floor(index / timed);
    for (const [side, from] of [
      ['masks', index % timed],
      ['predictions', (index + shift) % timed],
    ] as const) {
      const file = join(folder, side, nameOf(index));
      mkdirSync(dirname(file), { recursive: true });
      linkSync(join(root, String(timed), side, nameOf(from)), file);
    }
  }
  writeFileSync(join(folder, 'done'), '');
  return folder;
}

/** By libvips, on all cores, from the files to raw pixels. */
async function decodeAll(files: readonly string[]): Promise<Times> {
  const [started, used] = [performance.now(), process.cpuUsage()];
  const decode = (file: string) => sharp(file).raw().toBuffer();
  for await (const _ of mapInOrder(files, 4 * cores, decode));
  const { user, system } = process.cpuUsage(used);
  return { wall: (performance.now() - started) / 1000, processor: (user + system) / 1e6 };
}

/** The built program as a process of its own, and what the system's books say of it. */
async function evaluateFolder(folder: string): Promise<Times & { peak: number; metrics: Metrics }> {
  const places = sides.flatMap(side => [`--${side}`, join(folder, side)]);
  const started = performance.now();
  const command = ['dist/selflabel.mjs', 'evaluate', ...places, '--classes', String(classes), '--json'];
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'ignore'] });
  let output = '';
  child.stdout!.setEncoding('utf8').on('data', text => {
    output += text;
  });
  let [peak, processor] = [0, 0];
  const watch = setInterval(() => {
    if (child.exitCode !== null) return;
    peak = peakOf(child.pid!) ?? peak;
    processor = processorOf(child.pid!) ?? processor;
  }, everyMilliseconds);
  const [code] = await once(child, 'close');
  clearInterval(watch);
  if (code !== 0) throw new Error(`evaluate ended with ${code}`);
  return { wall: (performance.now() - started) / 1000, processor, peak, metrics: JSON.parse(output) as Metrics };
}

const peakOf = (pid: number) => {
  const kilobytes = /VmHWM:\s+(\d+) kB/.exec(readBook(pid, 'status'))?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
};

/** User and system time, in ticks of 10 ms, behind the name in brackets. */
const processorOf = (pid: number) => {
  const fields = readBook(pid, 'stat').split(') ')[1]?.split(' ');
  return fields && (Number(fields[11]) + Number(fields[12])) / 100;
};

function readBook(pid: number, book: string): string {
  try {
    return readFileSync(`/proc/${pid}/${book}`, 'utf8');
  } catch {
    // Another system, or the process has just ended.
    return '';
  }
}
