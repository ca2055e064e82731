/** Runs a bundle from the code that was compiled at an earlier start: reading and compiling it takes longer than running it. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { constants, Script } from 'node:vm';
import { crc32 } from 'node:zlib';

export interface KeptProgram<T> {
  readonly exports: T;
  /** Keeps what has been compiled by now, functions called so far included; once, and only where nothing fitting was kept before. */
  keep(): void;
}

/**
 * @param file one in CommonJS, whose name changes with its content: the engine compares no more than its length
 * @param folder where compiled code lies; there may be none, and nobody may be able to write there
 */
export function runKept<T>(file: string, folder: string): KeptProgram<T> {
  const place = join(folder, `${basename(file)}-${process.version}-${process.arch}`);
  const cachedData = readKept(place);
  const script = new Script(wrapped(readFileSync(file, 'utf8')), {
    filename: file,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(cachedData && { cachedData }),
  });
  const module = { exports: {} as T };
  script.runInThisContext()(module.exports, createRequire(file), module, file, dirname(file));
  // Other versions and flags of the engine refuse it.
  let kept = cachedData !== undefined && !script.cachedDataRejected;
  return {
    exports: module.exports,
    keep() {
      if (kept) return;
      kept = true;
      writeKept(place, script.createCachedData());
    },
  };
}

const wrapped = (source: string): string => `(function(exports,require,module,__filename,__dirname){${source}\n})`;

/** Bytes of the checksum before the code. */
const head = 4;

/** Undefined where there is none, or a damaged one: the engine itself would not notice. */
function readKept(place: string): Buffer | undefined {
  try {
    const bytes = readFileSync(place);
    const code = bytes.subarray(head);
    return bytes.readUInt32LE() === crc32(code) ? code : undefined;
  } catch {
    return undefined;
  }
}

/** In one step, for others may be starting. */
function writeKept(place: string, code: Buffer): void {
  const part = `${place}-${process.pid}`;
  const sum = Buffer.alloc(head);
  sum.writeUInt32LE(crc32(code));
  try {
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(part, Buffer.concat([sum, code]));
    renameSync(part, place);
  } catch {
    // A program that nobody may write to starts as it did.
    removed(part);
  }
}

function removed(part: string): void {
  try {
    rmSync(part);
  } catch {
    // It was not even begun.
  }
}
