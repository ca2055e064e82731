/** Names of label map files: `a/b.jpg` → `a/b.png`, below the folder of label maps. */
import { compareBytes, NameList } from '../job/name-list.ts';

const extension = '.png';

/** `a/b.c.jpg` → `a/b.c`: the stem ends at the last dot of the last part; a part without a dot, or beginning with its only dot, is all stem. */
export function stemOf(path: string): string {
  const dot = path.lastIndexOf('.');
  return dot > path.lastIndexOf('/') + 1 ? path.slice(0, dot) : path;
}

/**
 * The label map's path of each input. Where two inputs would get the same, both keep their extension (`b.jpg.png`,
 * `b.png.png`), and so does every input that meets such a name. Does not depend on the order of the inputs.
 * Memory: the names' bytes and eight more for each.
 */
export class LabelPaths {
  readonly #inputs: NameList;
  /** Bytes of each input that are the name of its label map: those of the stem, or all. */
  readonly #lengths: Uint32Array;
  /** Numbers of the inputs, in the order of these names. */
  readonly #order: Uint32Array;

  /** @param inputs paths relative to the images' folder, all inputs of a job */
  constructor(inputs: NameList) {
    this.#inputs = inputs;
    this.#lengths = new Uint32Array(inputs.length);
    this.#order = new Uint32Array(inputs.length);
    for (let i = 0; i < inputs.length; i++) {
      this.#lengths[i] = bytesOf(stemOf(inputs.at(i))).length;
      this.#order[i] = i;
    }
    do this.#order.sort((a, b) => compareBytes(this.#name(a), this.#name(b)) || this.#compareWhole(a, b));
    while (this.#keepExtensions());
  }

  /** Of one of the inputs. */
  of(input: string): string {
    const stem = stemOf(input);
    const found = this.#find(bytesOf(stem));
    const isOwn = found !== undefined && compareBytes(this.#inputs.bytesAt(found), bytesOf(input)) === 0;
    return (isOwn ? stem : input) + extension;
  }

  /** Whether it is the path of any input. */
  has(path: string): boolean {
    return path.endsWith(extension) && this.#find(bytesOf(path.slice(0, -extension.length))) !== undefined;
  }

  #name(input: number): Uint8Array {
    return this.#inputs.bytesAt(input).subarray(0, this.#lengths[input]);
  }

  #compareWhole(a: number, b: number): number {
    return compareBytes(this.#inputs.bytesAt(a), this.#inputs.bytesAt(b));
  }

  /** Gives inputs whose name another one has too their whole name. @returns whether there were any */
  #keepExtensions(): boolean {
    let any = false;
    for (let from = 0, to = 0; from < this.#order.length; from = to) {
      const [first, name] = [this.#order[from]!, this.#name(this.#order[from]!)];
      for (to = from + 1; to < this.#order.length; to++)
        if (compareBytes(name, this.#name(this.#order[to]!)) !== 0) break;
      // Of equal names the whole ones are in order too.
      if (this.#compareWhole(first, this.#order[to - 1]!) === 0) continue;
      for (const input of this.#order.subarray(from, to)) this.#lengths[input] = this.#inputs.bytesAt(input).length;
      any = true;
    }
    return any;
  }

  /** Number of an input with this name. */
  #find(name: Uint8Array): number | undefined {
    let [low, high] = [0, this.#order.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = compareBytes(this.#name(this.#order[middle]!), name);
      if (order === 0) return this.#order[middle];
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return undefined;
  }
}

const encoder = new TextEncoder();
const bytesOf = (text: string): Uint8Array => encoder.encode(text);

export const labelPaths = (inputs: Iterable<string>): LabelPaths => new LabelPaths(NameList.of(inputs));
