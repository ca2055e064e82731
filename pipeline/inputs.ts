/** Reading the images of a shard: decoded, or rejected with a reason. One broken image never fails its shard. */
import { PermanentError, RejectedInput } from '#core/errors';
import type { ModelSizeRule } from '#core/image/model-input';
import { decodeSize } from '#core/image/pixel-input';
import type { PlannedImage } from '#core/job/plan';
import type { DecodedImage, ObjectStore, Ports } from './ports.ts';
import { streamObject } from './stream-object.ts';

/** Files above this are not photos: reading them would only cost memory. */
const largestFile = 512 * 2 ** 20;

export type ReadImage =
  | { readonly name: string; readonly state: 'read'; readonly sha256: string; readonly decoded: DecodedImage }
  | { readonly name: string; readonly state: 'rejected'; readonly reason: string };

/** An image whose bytes are at hand, or one question away. */
export interface FoundImage {
  readonly planned: PlannedImage;
  /** Undefined if it is gone. @throws RejectedInput if it cannot be read */
  bytes(): Promise<Uint8Array | undefined>;
}

/**
 * Every image in the order given. Those that stand one behind the other in a tar come out of one request for all of them;
 * each loose one is a request of its own, made when its bytes are asked for.
 */
export async function* findImages(
  store: ObjectStore,
  prefix: string,
  images: Iterable<PlannedImage> | AsyncIterable<PlannedImage>,
): AsyncGenerator<FoundImage> {
  let run: PackedImage[] = [];
  for await (const planned of images) {
    const last = run.at(-1);
    if (last && !(isPacked(planned) && planned.tar === last.tar && planned.start >= last.start + last.size)) {
      yield* outOfTar(store, prefix, run);
      run = [];
    }
    if (isPacked(planned)) run.push(planned);
    else yield { planned, bytes: () => store.get(prefix + planned.name) };
  }
  if (run.length) yield* outOfTar(store, prefix, run);
}

type PackedImage = PlannedImage & { readonly tar: string; readonly start: number };

const isPacked = (image: PlannedImage): image is PackedImage => image.tar !== undefined && image.start !== undefined;

/** Images in the order of one tar. Where it cannot be read, each of those left is rejected. */
async function* outOfTar(
  store: ObjectStore,
  prefix: string,
  images: readonly PackedImage[],
): AsyncGenerator<FoundImage> {
  const [first, last] = [images[0]!, images.at(-1)!];
  const object = { key: prefix + first.tar, etag: first.etag };
  const pieces = streamObject(store, object, first.start, last.start + last.size);
  const cut = new Cutter(pieces, first.start);
  let failure: RejectedInput | undefined;
  try {
    for (const planned of images) {
      const read = failure ?? (await cut.take(planned.start, planned.size).catch(onlyRejected));
      if (read instanceof RejectedInput) failure = read;
      yield { planned, bytes: async () => (read instanceof RejectedInput ? fail(read) : read) };
    }
  } finally {
    await pieces.return(undefined);
  }
}

function onlyRejected(error: unknown): RejectedInput {
  if (error instanceof RejectedInput) return error;
  throw error;
}

const fail = (error: Error): never => {
  throw error;
};

/** Cuts ranges, in ascending order, out of bytes that come in pieces of any size. */
class Cutter {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);
  /** Where the piece begins. */
  #at: number;

  constructor(pieces: AsyncIterator<Uint8Array>, at: number) {
    this.#pieces = pieces;
    this.#at = at;
  }

  async take(start: number, size: number): Promise<Uint8Array> {
    const taken = new Uint8Array(size);
    for (let filled = 0; filled < size; ) {
      const from = start + filled - this.#at;
      if (from >= this.#piece.length) {
        await this.#next();
        continue;
      }
      const part = this.#piece.subarray(from, from + size - filled);
      taken.set(part, filled);
      filled += part.length;
    }
    return taken;
  }

  async #next(): Promise<void> {
    const next = await this.#pieces.next();
    if (next.done) throw new RejectedInput('its archive ends before it');
    this.#at += this.#piece.length;
    this.#piece = next.value;
  }
}

/** The bytes of one image that was read before. @throws PermanentError if it is gone since */
export async function readInput(store: ObjectStore, prefix: string, planned: PlannedImage): Promise<Uint8Array> {
  for await (const found of findImages(store, prefix, [planned])) {
    const bytes = await found.bytes();
    if (bytes) return bytes;
  }
  throw new PermanentError(`${prefix}${planned.name} is missing; run the job again to make it anew`);
}

/** One image by itself. @param rule decode no larger than the model needs; default: full size */
export async function readImage(
  ports: Ports,
  prefix: string,
  planned: PlannedImage,
  rule?: ModelSizeRule,
): Promise<ReadImage> {
  for await (const found of findImages(ports.store, prefix, tooLarge(planned) ? [] : [planned]))
    return decodeFound(ports, found, rule);
  return { name: planned.name, state: 'rejected', reason: sayTooLarge };
}

/** @param rule decode no larger than the model needs; default: full size */
export async function decodeFound(ports: Ports, found: FoundImage, rule?: ModelSizeRule): Promise<ReadImage> {
  const { name } = found.planned;
  try {
    if (tooLarge(found.planned)) throw new RejectedInput(sayTooLarge);
    const bytes = await found.bytes();
    if (!bytes) throw new RejectedInput('gone since the job was planned');
    const decoded = await ports.images.decode(bytes, rule && (shown => decodeSize(shown, rule)));
    return { name, state: 'read', sha256: ports.digest.sha256(bytes), decoded };
  } catch (error) {
    if (error instanceof RejectedInput) return { name, state: 'rejected', reason: error.message };
    throw error;
  }
}

const tooLarge = ({ size }: PlannedImage): boolean => size > largestFile;
const sayTooLarge = `larger than ${largestFile / 2 ** 20} MB`;
