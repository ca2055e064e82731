/** Everything a command needs to work in a folder: the adapters, the lock, the user's folders mounted for reading. */
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { FolderLock } from '#adapters/local/folder-lock';
import { FolderStore } from '#adapters/local/folder-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { systemClock } from '#adapters/local/system-clock';
import { TerminalLog } from '#adapters/local/terminal-log';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { PixelThreads } from '#adapters/threads/pixel-threads';
import { PermanentError } from '#core/errors';
import { keys } from '#core/job/keys';
import type { ObjectStore, Ports } from '#pipeline/ports';
import type { EvaluationWorld } from './evaluate.ts';
import type { OpenedFolder } from './open-folder.ts';

/** A folder holds one job: that of `run`, of `predict` or of `train`. */
export const localJob = 'local';
export const predictJob = 'predict';
export const trainJob = 'train';
export const attendJob = 'attend';
const localJobs = [localJob, predictJob, trainJob, attendJob];

export interface Workplace {
  readonly ports: Ports;
  /** Stores bytes unless the same ones lie there: an unchanged object keeps what depends on it. */
  putIfChanged(key: string, bytes: Uint8Array): Promise<void>;
  readUserFile(file: string, what: string): Uint8Array;
  readIfThere(file: string): Uint8Array | undefined;
  /** Tells what the user calls something in the store, so that messages call it so too. */
  called(key: string, typed: string): void;
  /** An error with the user's own names in place of the store's keys. */
  inUsersWords(error: unknown): unknown;
  close(): Promise<void>;
}

export interface Mount {
  readonly prefix: string;
  readonly folder: string;
  /** What the folder holds, for messages. */
  readonly what: string;
}

/** A results folder, for commands that read it and edit its small files. */
export async function openFolder(folder: string): Promise<OpenedFolder> {
  const { ports, close } = await openWorkplace(folder, [], {});
  return { ports, close };
}

/** What `evaluate` works with: folders for reading, without a lock. */
export function evaluationWorld(): EvaluationWorld {
  return {
    images: new SharpCodec(),
    clock: systemClock,
    log: new TerminalLog(),
    openFolder: folder => readOnlyFolder(folder),
  };
}

/** A folder of the user's as a whole store; nothing is written into it. */
async function readOnlyFolder(folder: string): Promise<ObjectStore> {
  return FolderStore.open(folder);
}

/** Opens a folder for one job, works, and closes it whatever happens. */
export async function atWork<T>(
  folder: string,
  job: string,
  mounts: readonly Mount[],
  options: { threads?: number },
  work: (workplace: Workplace) => Promise<T>,
): Promise<T> {
  assertOwn(folder, job);
  const workplace = await openWorkplace(folder, mounts, options);
  try {
    for (const mount of mounts) await assertFilled(workplace.ports.store, mount);
    return await work(workplace);
  } catch (error) {
    throw workplace.inUsersWords(error);
  } finally {
    await workplace.close();
  }
}

/** A disk at hand is read fast: memory is better left to others. */
const vectorBytes = 32 * 2 ** 20;

/** At the top of a results folder: replaced, and what is no longer wanted is removed. */
const resultNames = [
  'labels',
  'pseudo-labels',
  'report',
  'model',
  'clusters.csv',
  'near-duplicates.csv',
  'classes.json',
  'merges.json',
  'receipt',
  'receipt.json',
  'metrics.json',
  'match.json',
  'validation',
  'training.jsonl',
  'attention.onnx',
  'attention.json',
  'backbone.onnx',
  'backbone.json',
];

/** @throws PermanentError if the folder holds files of somebody else's that the results would replace */
function assertOwn(folder: string, job: string): void {
  if (existsSync(folder) && !statSync(folder).isDirectory())
    throw new PermanentError(`${folder} is a file; give a folder for --out`);
  const holds = (name: string) => existsSync(join(folder, name));
  const other = localJobs.find(name => name !== job && holds(keys.request(name)));
  if (other)
    throw new PermanentError(`${folder} holds results of another command; choose a folder of its own for --out`);
  const taken = holds(keys.request(job)) ? undefined : resultNames.find(holds);
  if (taken)
    throw new PermanentError(
      `${join(folder, taken)} is not of our making and would be replaced; choose an empty folder for --out`,
    );
}

async function assertFilled(store: ObjectStore, { prefix, folder, what }: Mount): Promise<void> {
  for await (const _ of store.keys(prefix)) return;
  throw new PermanentError(`${folder} holds no files; give the folder of your ${what}`);
}

export async function openWorkplace(
  folder: string,
  mounts: readonly Mount[],
  options: { threads?: number },
): Promise<Workplace> {
  for (const { folder: mounted, what } of mounts) {
    assertFolder(mounted, what);
    if (existsSync(folder) && realpathSync(folder) === realpathSync(mounted))
      throw new PermanentError(`${folder} holds your ${what} and would be written to; choose another folder for --out`);
  }
  const lock = await FolderLock.acquire(folder);
  const store = await FolderStore.open(folder, { mounts });
  const typed = new Map(mounts.map(({ prefix, folder }) => [prefix, `${folder.replace(/\/+$/, '')}/`]));
  const models = new OnnxRuntime();
  const log = new TerminalLog();
  const threads = options.threads ?? availableParallelism();
  const pixels = new PixelThreads(threads);
  const ports: Ports = {
    store,
    models,
    images: new SharpCodec(),
    pixels,
    digest: nodeDigest,
    clock: systemClock,
    log,
    tuning: { threads, vectorBytes },
    place: folder,
  };
  return {
    ports,
    async putIfChanged(key, bytes) {
      const before = await store.get(key);
      if (!before || Buffer.compare(before, bytes) !== 0) await store.put(key, bytes);
    },
    readUserFile,
    readIfThere,
    called: (key, name) => void typed.set(key, name),
    inUsersWords(error) {
      if (error instanceof PermanentError)
        for (const [key, name] of typed) error.message = error.message.replaceAll(key, name);
      return error;
    },
    async close() {
      log.close();
      await models.close();
      await pixels.close();
      await lock.release();
    },
  };
}

function assertFolder(folder: string, what: string): void {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (!found) throw new PermanentError(`${folder} does not exist; give the folder of your ${what}`);
  if (!found.isDirectory()) throw new PermanentError(`${folder} is a file; give the folder of your ${what}`);
}

function readUserFile(file: string, what: string): Uint8Array {
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found?.isFile())
    throw new PermanentError(`${file} ${found ? 'is no file' : 'does not exist'}; give the file of the ${what}`);
  return readFileSync(file);
}

/** A small file that may be missing. */
export function readIfThere(file: string): Uint8Array | undefined {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
