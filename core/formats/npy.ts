/**
 * NumPy's .npy files: one array, row-major (numpy.lib.format, versions 1.0 and 2.0).
 *
 * Bytes: 0x93 `NUMPY`, major and minor version, length of the header (2 bytes in version 1, 4 in version 2, little-endian),
 * the header, the numbers. The header is a Python dictionary in Latin-1, padded with spaces and ended by a line feed so
 * that the numbers start at a multiple of 64:
 *
 *   {'descr': '<f4', 'fortran_order': False, 'shape': (3, 512), }
 */
import { PermanentError } from '../errors.ts';

/** Kinds of numbers: NumPy's name and the array that holds them here. All little-endian. */
const kinds = {
  float32: { descr: '<f4', array: Float32Array },
  float64: { descr: '<f8', array: Float64Array },
  int32: { descr: '<i4', array: Int32Array },
  uint16: { descr: '<u2', array: Uint16Array },
  uint8: { descr: '|u1', array: Uint8Array },
} as const;

export type NpyKind = keyof typeof kinds;
export type NpyData<K extends NpyKind = NpyKind> = InstanceType<(typeof kinds)[K]['array']>;

export interface NpyHeader {
  readonly kind: NpyKind;
  /** Lengths of the dimensions; empty for a single number. */
  readonly shape: readonly number[];
  /** Where the numbers start, in bytes. */
  readonly offset: number;
  /** Bytes of one row, that is of everything but the first dimension. */
  readonly rowBytes: number;
}

export interface NpyArray<K extends NpyKind = NpyKind> {
  readonly kind: K;
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: NpyData<K>;
}

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const product = (lengths: readonly number[]) => lengths.reduce((total, length) => total * length, 1);

/** The bytes before the numbers, for a file written block by block. @throws RangeError if the shape is no list of whole numbers */
export function npyHeader(kind: NpyKind, shape: readonly number[]): Uint8Array {
  if (!shape.every(length => Number.isSafeInteger(length) && length >= 0)) throw new RangeError(`shape [${shape}]`);
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const dictionary = `{'descr': '${kinds[kind].descr}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const total = Math.ceil((10 + dictionary.length + 1) / 64) * 64;
  const text = `${dictionary.padEnd(total - 11)}\n`;
  const bytes = new Uint8Array(total);
  bytes.set([...magic, 1, 0, text.length & 255, text.length >> 8]);
  for (let i = 0; i < text.length; i++) bytes[10 + i] = text.charCodeAt(i);
  return bytes;
}

/** An array as the bytes of a .npy file. @throws RangeError if shape and data do not agree */
export function writeNpy<K extends NpyKind>({ kind, shape, data }: NpyArray<K>): Uint8Array {
  if (product(shape) !== data.length) throw new RangeError(`shape [${shape}] holds no ${data.length} numbers`);
  const header = npyHeader(kind, shape);
  const file = new Uint8Array(header.length + data.byteLength);
  file.set(header);
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), header.length);
  return file;
}

function parseDictionary(text: string, name: string): { kind: NpyKind; shape: number[] } {
  const descr = /'descr'\s*:\s*'([^']*)'/.exec(text)?.[1];
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(text)?.[1];
  const tuple = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text)?.[1];
  if (descr === undefined || fortran === undefined || tuple === undefined) {
    throw new PermanentError(`${name} is damaged: its .npy header cannot be understood: ${text.trim()}`);
  }
  const shape = tuple
    .split(',')
    .filter(part => part.trim() !== '')
    .map(part => Number.parseInt(part, 10));
  const kind = (Object.keys(kinds) as NpyKind[]).find(key => kinds[key].descr.slice(1) === descr.slice(1));
  if (kind === undefined || (descr[0] === '>' && kind !== 'uint8')) {
    throw new PermanentError(`${name} holds numbers of type ${descr}; save it as ${Object.keys(kinds).join(', ')}`);
  }
  if (fortran === 'True' && shape.length > 1) {
    throw new PermanentError(`${name} is stored column by column; save it with numpy.ascontiguousarray`);
  }
  return { kind, shape };
}

/**
 * Reads the header from the first bytes of a file; 4096 are always enough for the arrays written here.
 * @param name how messages call the file
 * @throws PermanentError if it is no .npy file, or holds something else than the kinds above, row-major
 */
export function readNpyHeader(bytes: Uint8Array, name = 'the array'): NpyHeader {
  if (!magic.every((byte, i) => bytes[i] === byte)) throw new PermanentError(`${name} is not a .npy file`);
  const version = bytes[6]!;
  if (version < 1 || version > 3) throw new PermanentError(`${name} is a .npy file of unknown version ${version}`);
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) throw new PermanentError(`${name} is cut off: it ends within its .npy header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const offset = start + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (offset > bytes.length) throw new PermanentError(`${name} is cut off: it ends within its .npy header`);
  const text = Array.from(bytes.subarray(start, offset), code => String.fromCharCode(code)).join('');
  const { kind, shape } = parseDictionary(text, name);
  return { kind, shape, offset, rowBytes: product(shape.slice(1)) * kinds[kind].array.BYTES_PER_ELEMENT };
}

/** Bytes as numbers, without copying where they lie on a boundary that allows it. */
function numbersOf(kind: NpyKind, bytes: Uint8Array): NpyData {
  const { array } = kinds[kind];
  const aligned = bytes.byteOffset % array.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  return new array(aligned.buffer as ArrayBuffer, aligned.byteOffset, bytes.length / array.BYTES_PER_ELEMENT);
}

/**
 * An array from the bytes of a .npy file. The numbers may share memory with `bytes`.
 * @throws PermanentError as `readNpyHeader`, and if the file is too short
 */
export function readNpy(bytes: Uint8Array, name = 'the array'): NpyArray {
  const { kind, shape, offset } = readNpyHeader(bytes, name);
  const length = product(shape) * kinds[kind].array.BYTES_PER_ELEMENT;
  if (bytes.length < offset + length) {
    throw new PermanentError(`${name} is cut off: ${bytes.length - offset} bytes of numbers where ${length} belong`);
  }
  return { kind, shape, data: numbersOf(kind, bytes.subarray(offset, offset + length)) };
}

/** Reads an array that must hold one kind of numbers. @throws PermanentError as `readNpy`, and if it holds another kind */
export function readNpyOf<K extends NpyKind>(kind: K, bytes: Uint8Array, name = 'the array'): NpyArray<K> {
  const array = readNpy(bytes, name);
  if (array.kind !== kind) throw new PermanentError(`${name} holds ${array.kind} numbers; ${kind} belongs there`);
  return array as NpyArray<K>;
}

/**
 * The rows `from` to before `to` of a file whose bytes are at hand in part.
 * @param header of the file
 * @param block the bytes from `header.offset + from · header.rowBytes` on
 * @throws PermanentError if the block is too short
 */
export function readNpyRows(
  header: NpyHeader,
  block: Uint8Array,
  from: number,
  to: number,
  name = 'the array',
): NpyData {
  const length = (to - from) * header.rowBytes;
  if (block.length < length) throw new PermanentError(`${name} is cut off: rows ${from} to ${to} are incomplete`);
  return numbersOf(header.kind, block.subarray(0, length));
}
