/** Writing a zip file as a stream: the same files give the same bytes. */
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { type PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';

export interface ZipEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The beginning of the format's calendar, without a time zone: the same files give the same bytes everywhere. */
const dated = { mtime: new Date(1980, 0, 1), forceDosTimestamp: true, mode: 0o100644 };

/** Resolves when the entry has been taken by the disk's stream, so that a folder of any size passes through little memory. */
const written = (zip: ZipFile, { name, bytes }: ZipEntry): Promise<void> =>
  new Promise((resolve, reject) => {
    zip.once('error', reject);
    // PNGs are packed already.
    const options = { ...dated, compress: !name.endsWith('.png'), size: bytes.length };
    zip.addReadStreamLazy(name, options, give => {
      const stream = Readable.from([bytes]);
      stream.once('end', () => {
        zip.off('error', reject);
        resolve();
      });
      give(null, stream);
    });
  });

/** Writes `path` in one step: under another name first, so that what exists is whole. @returns how many files are in it */
export async function writeZip(path: string, entries: AsyncIterable<ZipEntry>): Promise<number> {
  const zip = new ZipFile();
  const unfinished = `${path}.part`;
  const target = pipeline(zip.outputStream, createWriteStream(unfinished));
  let count = 0;
  try {
    for await (const entry of entries) {
      await Promise.race([written(zip, entry), target]);
      count++;
    }
    zip.end();
    await target;
    await rename(unfinished, path);
    return count;
  } catch (error) {
    (zip.outputStream as PassThrough).destroy();
    // It fails for being destroyed; what went wrong before is thrown below.
    await target.catch(() => undefined);
    await rm(unfinished, { force: true });
    throw error;
  }
}
