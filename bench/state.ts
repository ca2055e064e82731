/**
 * Memory of everything that holds state, at 100,000 images without embedding and labelling each of them: `npm run bench --
 * state`. The program plans the job and works on the first shard; then it is killed, the pieces of stage embed and label
 * are made up as it would have left them, and the same command goes on with near-duplicates, clustering, report and copies.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { deflateSync } from 'node:zlib';
import { writeNpy } from '#core/formats/npy';
import { encodeIndexPng } from '#core/formats/png-index';
import { writeTar } from '#core/formats/tar';
import { keys } from '#core/job/keys';
import type { Plan, PlannedShard } from '#core/job/plan';
import type { Stage } from '#core/job/stage';
import { Random, seedOf } from '#core/random';
import type { EmbedSummary } from '#pipeline/embed';
import type { LabelSummary } from '#pipeline/label';
import { makePictures, megabytes, runCommand, runOn } from './size.ts';

const sizes = (process.env.BENCH_SIZES ?? '1000,10000,100000').split(',').map(Number);
const [width, height, clusters, dimension] = [64, 48, 50, 128];
const rowsPerImage = 4;

/** Runs until the head is fitted, then kills. */
async function begin(folder: string, out: string): Promise<void> {
  const child = spawn(process.execPath, runCommand(folder, out), { stdio: 'ignore' });
  const ended = once(child, 'close');
  const marks = join(out, 'jobs/local/done/attend');
  for (;;) {
    await pause(20);
    try {
      if (readdirSync(marks).length > 0) break;
    } catch {
      // Not there yet.
      if (child.exitCode !== null) throw new Error(`the run on ${folder} ended with ${child.exitCode}`);
    }
  }
  child.kill('SIGKILL');
  await ended;
}

class Pieces {
  readonly #out: string;
  readonly #plan: Plan;

  constructor(out: string) {
    this.#out = out;
    this.#plan = this.read<Plan>(keys.plan('local'));
  }

  get shards(): PlannedShard[] {
    const { shards, fingerprints } = this.#plan;
    return shards.map(shard => this.read<PlannedShard>(keys.shard('local', fingerprints.plan, shard)));
  }

  read<T>(key: string): T {
    return JSON.parse(readFileSync(join(this.#out, key), 'utf8')) as T;
  }

  /** As `finishPiece` writes it. */
  write(stage: Stage, piece: string, outputs: Readonly<Record<string, Uint8Array>>, summary: object): void {
    const fingerprint = this.#plan.fingerprints[stage];
    for (const [extension, bytes] of Object.entries(outputs))
      this.#put(keys.output('local', stage, fingerprint, piece, extension), bytes);
    const marker = { piece, outputs: [], milliseconds: 1, summary };
    this.#put(keys.marker('local', stage, fingerprint, piece), new TextEncoder().encode(JSON.stringify(marker)));
  }

  #put(key: string, bytes: Uint8Array): void {
    const path = join(this.#out, key);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
}

/** Unit vectors in heaps. */
function vectors(count: number, random: Random): Uint8Array {
  const data = new Float32Array(count * dimension);
  for (let row = 0; row < count; row++) {
    const heap = new Random(seedOf('heap', random.integer(2 * clusters)));
    let square = 0;
    for (let i = 0; i < dimension; i++) {
      const value = heap.uniform() + random.uniform() - 1;
      data[row * dimension + i] = value;
      square += value * value;
    }
    for (let i = 0; i < dimension; i++) data[row * dimension + i]! /= Math.sqrt(square);
  }
  return writeNpy({ kind: 'float32', data, shape: [count, dimension] });
}

function embedded(pieces: Pieces, { shard, images }: PlannedShard): void {
  const random = new Random(seedOf(shard));
  const summary: EmbedSummary = {
    images: images.map(({ name }) => ({
      name,
      state: 'read',
      sha256: sha256Of(name),
      width,
      height,
      notes: [],
      rows: rowsPerImage,
    })),
    pace: {
      decoded: 0,
      decodeSeconds: 0,
      modelRuns: 0,
      modelSeconds: 0,
      modelWaitedSeconds: 0,
      picturesWaitedSeconds: 0,
    },
  };
  const outputs = { npy: vectors(images.length * rowsPerImage, random), 'pooled.npy': vectors(images.length, random) };
  pieces.write('embed', shard, outputs, summary);
}

const sha256Of = (name: string): string => createHash('sha256').update(name).digest('hex');

function labelled(pieces: Pieces, { shard, images }: PlannedShard, png: Uint8Array): void {
  const random = new Random(seedOf('label', shard));
  const summary: LabelSummary = {
    images: images.map(({ name }) => ({
      name,
      state: 'labelled',
      sha256: sha256Of(name),
      notes: [],
      width,
      height,
      foreground: 0.3,
      confidence: random.uniform(),
      labels: [1, 2, 3].map(() => [1 + random.integer(clusters), 300] as const),
    })),
  };
  const tar = writeTar(images.map(({ name }) => ({ name: `${name}.png`, bytes: png })));
  pieces.write('label', shard, { tar }, summary);
}

export async function state(): Promise<void> {
  execFileSync(process.execPath, ['build.mjs'], { stdio: 'inherit' });
  const map = { width, height, data: new Uint16Array(width * height).map((_, p) => (p % width < 20 ? 1 : 0)) };
  const png = await encodeIndexPng(map, { highest: clusters, deflate: async bytes => deflateSync(bytes) });
  console.log('| images | peak memory | by /proc | seconds | near-duplicates and k-means s | publish and copies s |');
  console.log('|---|---|---|---|---|---|');
  for (const count of sizes) {
    const folder = await makePictures(count);
    const out = `.bench/state/${count}`;
    await begin(folder, out);
    const pieces = new Pieces(out);
    for (const shard of pieces.shards) {
      embedded(pieces, shard);
      labelled(pieces, shard, png);
    }
    const { summary, seen } = await runOn(folder, out);
    const { seconds } = summary;
    const spent = (seconds.embed ?? 0) + (seconds.cluster ?? 0);
    console.log(
      `| ${count} | ${megabytes(summary.peakMemoryBytes)} | ${megabytes(seen)} | ${seconds.total.toFixed(0)} | ${spent.toFixed(1)} | ${(seconds.total - spent).toFixed(1)} |`,
    );
  }
}
