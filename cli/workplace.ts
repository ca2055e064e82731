/** Everything a command needs to work in a folder: the adapters, the lock, the user's folders mounted for reading. */
import { readFileSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { NodeClock } from '#adapters/local/node-clock';
import { NodeDigest } from '#adapters/local/node-digest';
import { FolderLock } from '#adapters/local/folder-lock';
import { FolderStore } from '#adapters/local/folder-store';
import { TerminalLog } from '#adapters/local/terminal-log';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { PermanentError } from '#core/errors';
import type { Ports } from '#pipeline/ports';

export interface Workplace {
  readonly ports: Ports;
  /** Stores bytes unless the same ones lie there: an unchanged object keeps what depends on it. */
  putIfChanged(key: string, bytes: Uint8Array): Promise<void>;
  readUserFile(file: string, what: string): Uint8Array;
  close(): Promise<void>;
}

export interface Mount {
  readonly prefix: string;
  readonly folder: string;
  /** What the folder holds, for messages. */
  readonly what: string;
}

export async function openWorkplace(folder: string, mounts: readonly Mount[], options: { threads?: number }): Promise<Workplace> {
  for (const { folder: mounted, what } of mounts) assertFolder(mounted, what);
  const store = await FolderStore.open(folder, mounts);
  const lock = await FolderLock.acquire(folder);
  const models = new OnnxRuntime();
  const log = new TerminalLog();
  const ports: Ports = {
    store,
    models,
    images: new SharpCodec(),
    digest: new NodeDigest(),
    clock: new NodeClock(),
    log,
    tuning: { threads: options.threads ?? availableParallelism() },
    place: folder,
  };
  return {
    ports,
    async putIfChanged(key, bytes) {
      const before = await store.get(key);
      if (!before || Buffer.compare(before, bytes) !== 0) await store.put(key, bytes);
    },
    readUserFile,
    async close() {
      log.end();
      await models.close();
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
  if (!found?.isFile()) throw new PermanentError(`${file} does not exist; give the file of the ${what}`);
  return readFileSync(file);
}
