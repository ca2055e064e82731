/** Zips for tests: ordinary ones, and such as no honest program writes, made by changing single fields (APPNOTE.TXT 4.3). */
import { crc32, deflateRawSync } from 'node:zlib';

export interface RawEntry {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Unix mode; default a regular file. */
  readonly mode?: number;
  /** General purpose flags; bit 0: encrypted. */
  readonly flags?: number;
  readonly method?: number;
  /** What the directory claims the entry unpacks to. */
  readonly claimed?: number;
}

function record(signature: number, fields: readonly (readonly [value: number, bytes: 2 | 4])[]): Buffer {
  const out = Buffer.alloc(4 + fields.reduce((sum, [, bytes]) => sum + bytes, 0));
  out.writeUInt32LE(signature);
  let at = 4;
  for (const [value, bytes] of fields) {
    if (bytes === 2) out.writeUInt16LE(value, at);
    else out.writeUInt32LE(value, at);
    at += bytes;
  }
  return out;
}

export function rawZip(entries: readonly RawEntry[]): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { name, bytes, mode = 0o100644, flags = 0, method = 8, claimed = bytes.length } of entries) {
    const packed = method === 8 ? deflateRawSync(bytes) : Buffer.from(bytes);
    const label = Buffer.from(name);
    const sizes = [
      [crc32(bytes), 4],
      [packed.length, 4],
      [claimed, 4],
      [label.length, 2],
      [0, 2],
    ] as const;
    const head = [[20, 2], [flags, 2], [method, 2], [0, 2], [33, 2], ...sizes] as const;
    const local = Buffer.concat([record(0x04034b50, head), label, packed]);
    const attributes = [
      [0, 2],
      [0, 2],
      [0, 2],
      [mode * 65536, 4],
      [offset, 4],
    ] as const;
    central.push(record(0x02014b50, [[0x0314, 2], ...head, ...attributes]), label);
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const counts = [
    [0, 2],
    [0, 2],
    [entries.length, 2],
    [entries.length, 2],
  ] as const;
  const end = record(0x06054b50, [...counts, [directory.length, 4], [offset, 4], [0, 2]]);
  return Buffer.concat([...locals, directory, end]);
}
