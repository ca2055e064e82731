/** Named tensors in one file, in the format of https://github.com/huggingface/safetensors: what keeps a training run. */
import * as z from 'zod';
import { PermanentError } from '../errors.ts';

export interface SavedTensor {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

export interface Safetensors {
  readonly tensors: ReadonlyMap<string, SavedTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

const entry = z.object({
  dtype: z.literal('F32', 'expected F32'),
  shape: z.array(z.int().min(0)),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
});
const header = z.object({ __metadata__: z.record(z.string(), z.string()).optional() }).catchall(entry);

/** Length of the header as uint64, the header padded with spaces to a multiple of 8, then the numbers, little-endian. */
export function writeSafetensors({ tensors, metadata }: Safetensors): Uint8Array<ArrayBuffer> {
  const entries: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const [name, { dims, data }] of tensors) {
    entries[name] = { dtype: 'F32', shape: dims, data_offsets: [end, end + data.byteLength] };
    end += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(entries));
  const start = 8 + Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(start + end).fill(0x20, 0, start);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.set(json, 8);
  let at = start;
  for (const { data } of tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/** @param name of the file, for messages. @throws PermanentError if the bytes are cut short or no such file, or hold other than float32 */
export function readSafetensors(bytes: Uint8Array, name: string): Safetensors {
  const refuse = (reason: string) =>
    new PermanentError(`${name} is no usable safetensors file: ${reason}; remove it to begin anew`);
  if (bytes.length < 8) throw refuse('it is cut short');
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  if (8 + length > bytes.length) throw refuse('it is cut short');
  const parsed = header.safeParse(parse(bytes.subarray(8, 8 + length)));
  if (!parsed.success) throw refuse('its header is damaged');
  const { __metadata__: metadata = {}, ...entries } = parsed.data;
  const tensors = new Map<string, SavedTensor>();
  for (const [key, { shape, data_offsets }] of Object.entries(entries as Record<string, z.output<typeof entry>>)) {
    const [from, to] = data_offsets;
    const own = bytes.slice(8 + length + from, 8 + length + to);
    if (own.length !== to - from || own.length !== 4 * shape.reduce((a, b) => a * b, 1))
      throw refuse('it is cut short');
    // `slice` of a Node Buffer is a view, which need not begin at a multiple of 4.
    const data = new Float32Array(new Uint8Array(own).buffer);
    tensors.set(key, { dims: shape, data });
  }
  return { tensors, metadata };
}

/** Undefined where it is no JSON, which no header may be. */
function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
