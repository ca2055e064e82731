/**
 * Peak memory by the number of images: `npm run bench -- size` makes 1k, 10k and 100k small pictures, runs the whole
 * program on them as a process of its own, and prints what it took. `BENCH_SIZES=1000,5000` asks for other numbers.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import type { RgbImage } from '#core/image/rgb-image';
import { Random, seedOf } from '#core/random';
import { mapInOrder } from '#pipeline/in-flight';
import type { RunSummary } from '../cli/run-summary.ts';

const sizes = (process.env.BENCH_SIZES ?? '1000,10000,100000').split(',').map(Number);
const [width, height] = [64, 48];
/** Pictures of one folder. */
const perFolder = 1000;
const goalBytes = 1.5e9;
/** Between two looks at the memory. */
const everyMilliseconds = 250;

/** An ellipse of one of twelve colours before a ground of noise: something to find, made in no time. */
function picture(index: number): RgbImage {
  const random = new Random(seedOf('size', index));
  const data = new Uint8Array(width * height * 3);
  const kind = random.integer(12);
  const colour = [kind & 1, (kind >> 1) & 1, kind >> 2].map(on => 40 + 80 * on);
  const ground = [0, 1, 2].map(() => 90 + random.integer(80));
  const [x0, y0] = [20 + 24 * random.uniform(), 16 + 16 * random.uniform()];
  const [rx, ry] = [8 + 8 * random.uniform(), 6 + 8 * random.uniform()];
  for (let p = 0; p < width * height; p++) {
    const [x, y] = [p % width, Math.floor(p / width)];
    const inside = ((x - x0) / rx) ** 2 + ((y - y0) / ry) ** 2 < 1;
    for (let c = 0; c < 3; c++) data[3 * p + c] = (inside ? colour[c]! : ground[c]!) + random.integer(24);
  }
  return { width, height, data };
}

/** A folder of so many pictures; made once. */
export async function makePictures(count: number): Promise<string> {
  const folder = `.bench/size-images/${count}`;
  if (existsSync(join(folder, '..', `${count}.done`))) return folder;
  const codec = new SharpCodec();
  const write = async (index: number) => {
    const into = join(folder, String(Math.floor(index / perFolder)).padStart(4, '0'));
    const jpeg = await codec.encodeJpeg(picture(index), 90);
    mkdirSync(into, { recursive: true });
    writeFileSync(join(into, `${String(index % perFolder).padStart(3, '0')}.jpg`), jpeg);
  };
  for await (const _ of mapInOrder(Array(count).keys(), 8, write));
  writeFileSync(join(folder, '..', `${count}.done`), '');
  return folder;
}

/** Highest resident memory that the system saw, by its own books; null where it has none (Linux has). */
function highestMemory({ pid }: ChildProcess): number | null {
  try {
    const kilobytes = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  } catch {
    // Another system, or the process has just ended.
    return null;
  }
}

export const runCommand = (folder: string, out: string): string[] => [
  'dist/selflabel.mjs',
  'run',
  folder,
  '--out',
  out,
  '--clusters',
  '50',
  '--restarts',
  '3',
  '--json',
];

export async function runOn(folder: string, out: string): Promise<{ summary: RunSummary; seen: number | null }> {
  const child = spawn(process.execPath, runCommand(folder, out), { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout!.setEncoding('utf8').on('data', text => {
    output += text;
  });
  let seen: number | null = null;
  const watch = setInterval(() => {
    seen = highestMemory(child) ?? seen;
  }, everyMilliseconds);
  const [code] = await once(child, 'close');
  clearInterval(watch);
  if (code !== 0) throw new Error(`the run on ${folder} ended with ${code}`);
  return { summary: JSON.parse(output) as RunSummary, seen };
}

export const megabytes = (bytes: number | null): string => (bytes === null ? '–' : `${Math.round(bytes / 1e6)} MB`);

export async function size(): Promise<void> {
  execFileSync(process.execPath, ['build.mjs'], { stdio: 'inherit' });
  console.log('| images | peak memory | by /proc | seconds | embed, label images/s | cluster s | publish s | limit |');
  console.log('|---|---|---|---|---|---|---|---|');
  for (const count of sizes) {
    const folder = await makePictures(count);
    const { summary, seen } = await runOn(folder, `.bench/size/${count}`);
    const { seconds, imagesPerSecond, peakMemoryBytes, bound } = summary;
    const rest = Object.entries(seconds).reduce(
      (sum, [name, value]) => (name === 'total' ? sum : sum - value),
      seconds.total,
    );
    console.log(
      `| ${count} | ${megabytes(peakMemoryBytes)}${peakMemoryBytes > goalBytes ? ' (above 1.5 GB)' : ''} | ${megabytes(seen)} | ${seconds.total.toFixed(0)} | ${imagesPerSecond.embed}, ${imagesPerSecond.label} | ${seconds.cluster?.toFixed(1)} | ${rest.toFixed(1)} | ${bound?.by ?? '–'} |`,
    );
  }
}
