/** What the pipeline needs from the world. Adapters implement these; test/contracts holds one suite per port. */
import type { StateGroup } from '#core/graph/step-program';
import type { RgbImage } from '#core/image/rgb-image';
import type { LabelledPixels, PixelWork } from '#core/labels/label-pixels';

export interface StoredObject {
  readonly key: string;
  readonly size: number;
  /** Changes whenever the object's bytes change. */
  readonly etag: string;
}

/** The bucket, or a folder that behaves like one. Keys use `/`; an object that exists is complete. */
export interface ObjectStore {
  /** The object's bytes, or undefined where there is none. @throws RejectedInput if the object may not be read (a link out of the folder). */
  get(key: string): Promise<Uint8Array | undefined>;
  /** The bytes together with their etag, for a later `swap`. */
  getTagged(key: string): Promise<{ bytes: Uint8Array; etag: string } | undefined>;
  head(key: string): Promise<StoredObject | undefined>;
  /** Writes only if the key is free (If-None-Match: *). False: somebody was first, their object stands. */
  putNew(key: string, bytes: Uint8Array): Promise<boolean>;
  /** Compare and swap: writes only if the object still has this etag (undefined: only if it is absent). The new etag, or undefined if lost. */
  swap(key: string, bytes: Uint8Array, etag: string | undefined): Promise<string | undefined>;
  /** Writes in any case: for pages and copies that anyone may write again. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  delete(key: string): Promise<void>;
  /** Every object under a prefix, in the order of UTF-8 bytes of their keys. @param after keys up to this one may be left out: an earlier listing saw them */
  list(prefix: string, after?: string): AsyncIterable<StoredObject>;
  /** The keys of `list` alone, where finding out versions would cost something. */
  keys(prefix: string): AsyncIterable<string>;
  /**
   * Bytes `start` to before `end` of the object with this etag, as they come: one request, however large. A store at hand
   * leaves it out, since `get` costs nothing there. @throws RejectedInput if the object is gone or is another one by now
   */
  stream?(key: string, etag: string, start: number, end: number): AsyncIterable<Uint8Array>;
}

export interface ReceivedMessage {
  readonly body: string;
  /** How often this message has been handed out, this time included. */
  readonly receives: number;
  /** Names this hand-out for `delete` and `extend`. */
  readonly receipt: string;
}

/** At least once, in no order. */
export interface Queue {
  send(bodies: readonly string[]): Promise<void>;
  /** Up to `max` messages, each hidden from others until its visibility runs out. Waits at most `waitSeconds` for the first. */
  receive(max: number, waitSeconds: number): Promise<ReceivedMessage[]>;
  delete(receipt: string): Promise<void>;
  /** Hides the message for so long from now. @throws Error if it is ours no more. */
  extend(receipt: string, seconds: number): Promise<void>;
}

export type TensorType = 'float32' | 'int32' | 'int64' | 'uint8' | 'bool' | 'float64';

/** Numbers going into or coming out of a model. int64 is a BigInt64Array. */
export interface TensorValue {
  readonly type: TensorType;
  readonly dims: readonly number[];
  readonly data: Float32Array | Int32Array | BigInt64Array | Uint8Array | Float64Array;
}

export type Tensors = Readonly<Record<string, TensorValue>>;

export interface RunResult {
  readonly outputs: Tensors;
  /** The feeds, handed back: their buffers were moved away by `run` and live on in these objects only. */
  readonly feeds: Tensors;
}

/** A loaded ONNX graph. Several runs may be under way at once; each uses one session. */
export interface Model {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /**
   * Moves the feeds' buffers to the session and back (no copy), so the caller must not touch them meanwhile.
   * @param wanted default: all outputs
   */
  run(feeds: Tensors, wanted?: readonly string[]): Promise<RunResult>;
  release(): Promise<void>;
}

export interface ModelOptions {
  /** Sessions that may run at once. */
  readonly sessions: number;
  /** Threads inside one session. */
  readonly threadsPerSession: number;
  /** Threads inside the session that is used while no other one is. Default: as in the others. */
  readonly threadsAlone?: number;
  /** The model's bytes are nobody else's: their memory may be moved. */
  readonly given?: boolean;
}

/** A `StepProgram` as models. */
export interface TrainingGraphs {
  readonly gradients: Uint8Array;
  readonly updates: readonly Uint8Array[];
  readonly groups: readonly Pick<StateGroup, 'reads' | 'writes' | 'update'>[];
}

/** The buffers of every group; each array fills its memory. */
export type TrainingState = readonly (readonly Float32Array[])[];

export interface UpdateOptions {
  readonly rate: number;
  /** Which update it is, 1 at first. */
  readonly step: number;
  /** Everything is computed, after gradients aside, and the state stays as it is: to see how long it takes. */
  readonly trial?: boolean;
}

/** Open graphs of a training, and its state while that is here. One call at a time; buffers are moved, never copied. */
export interface Trainer {
  put(state: TrainingState): Promise<void>;
  /** The state as it is now, which is here no longer. */
  take(): Promise<TrainingState>;
  /**
   * Loss and metrics of a batch, by name; its buffers are gone. What the optimizer keeps has moved on, values wait for `update`.
   * @param aside what the optimizer keeps stays as it is until then, and the state can be taken
   */
  gradients(batch: Tensors, aside?: boolean): Promise<Readonly<Record<string, number>>>;
  /** The other half of the step. */
  update(options: UpdateOptions): Promise<void>;
  release(): Promise<void>;
}

export interface ModelRunner {
  /** What runs the graphs: "cpu", "cuda", … */
  readonly device: string;
  /** @throws PermanentError if the runtime refuses the graph; the message says what and where. */
  load(model: Uint8Array, options: ModelOptions): Promise<Model>;
  /** @throws PermanentError as `load` */
  train(graphs: TrainingGraphs, options: { readonly threads: number }): Promise<Trainer>;
}

/** Does the work per pixel somewhere else than in the thread that asks. */
export interface PixelLabeller {
  /** As `labelPixels`. The arrays of the work are moved away: nobody may touch them any more. */
  label(work: PixelWork): Promise<LabelledPixels>;
}

export interface DecodedImage {
  readonly image: RgbImage;
  /** Size as shown, before any shrinking. */
  readonly width: number;
  readonly height: number;
  /** What was done that people should know: "first of 30 frames taken", "CMYK converted to RGB", … */
  readonly notes: readonly string[];
}

export interface ImageCodec {
  /**
   * Bytes → 8-bit RGB as shown: EXIF orientation applied, first frame, sRGB, alpha blended over white.
   * @param size resize (antialiased bilinear) to exactly this, in one go with decoding; default: full size.
   * @throws RejectedInput with a reason a person understands
   */
  decode(
    bytes: Uint8Array,
    size?: (shown: { width: number; height: number }) => { width: number; height: number },
  ): Promise<DecodedImage>;
  /** Resizes, antialiased bilinear. */
  resize(image: RgbImage, width: number, height: number): Promise<RgbImage>;
  /** A JPEG for people to look at. */
  encodeJpeg(image: RgbImage, quality: number): Promise<Uint8Array>;
  /**
   * zlib's deflate and inflate, off the main thread. `inflate` refuses to grow beyond `limit` bytes.
   * @param runs the bytes come in runs of equal ones: only these are looked for, which is several times as fast
   */
  deflate(bytes: Uint8Array, runs?: boolean): Promise<Uint8Array>;
  inflate(bytes: Uint8Array, limit: number): Promise<Uint8Array>;
}

export interface Digest {
  /** SHA-256 in lower-case hex. */
  sha256(bytes: Uint8Array): string;
}

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
}

/** Progress of long stages, for people. Never decides anything. */
export interface Log {
  progress(stage: string, piece: string, done: number, total: number): void;
  note(text: string): void;
}

/** Tuning that changes speed, never results. */
export interface Tuning {
  readonly threads: number;
  /** Somebody waits for each image: one that is alone gets all threads. Default: as many images at once as threads. */
  readonly promptly?: boolean;
  /**
   * Vectors that stay in memory, for k-means and for near-duplicates each; those beyond are read again from their shards.
   * Default: 64 MB, and all that near-duplicates compare.
   */
  readonly vectorBytes?: number;
  /** How long one message is worked on where a piece can be cut (`pipeline/slices`). Undefined: to the piece's end. */
  readonly sliceSeconds?: number;
}

export interface Ports {
  readonly store: ObjectStore;
  readonly models: ModelRunner;
  readonly images: ImageCodec;
  /** Default: pixels are labelled in the thread that asks. */
  readonly pixels?: PixelLabeller;
  readonly digest: Digest;
  readonly clock: Clock;
  readonly log: Log;
  readonly tuning: Tuning;
  /** What an hour of this machine costs, where it is rented and the price is known (core/job/prices): for the receipt. */
  readonly dollarsPerHour?: number;
  /** What earlier slices of the piece took (`pipeline/slices`). */
  readonly earlierMilliseconds?: number;
  /** How people name the place of the results, for pages only: the folder as typed, or its S3 address. */
  readonly place: string;
}
