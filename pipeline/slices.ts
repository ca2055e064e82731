/** Slices of long pieces: no message is worked on for hours. A piece stops at a checkpoint, and another message goes on from there. */
import type { Plan } from '#core/job/plan';
import { fromJson, toJson } from './documents.ts';
import { outputKey } from './marker.ts';
import type { WorkMessage } from './messages.ts';
import type { ObjectStore, Ports } from './ports.ts';
import { type Queues, sendWork } from './queues.ts';

/** No fault: the time of the slice is over, and the piece's checkpoint is stored. */
export class SliceOver extends Error {
  override name = 'SliceOver';
}

/**
 * Begins a slice; to be asked between two steps, after at least one. Where pieces are not cut (`tuning.sliceSeconds`), as on
 * a laptop, it is never over.
 */
export function beginSlice({ clock, tuning }: Pick<Ports, 'clock' | 'tuning'>): () => boolean {
  const { sliceSeconds } = tuning;
  if (sliceSeconds === undefined) return () => false;
  const end = clock.now() + 1000 * sliceSeconds;
  return () => clock.now() >= end;
}

/** Kept beside the outputs of a piece while it goes from slice to slice. */
interface Slices {
  /** The slice that the last message asked for was the one after this. */
  readonly followed: number;
  /** What all slices took so far. */
  readonly milliseconds: number;
}

const unsliced: Slices = { followed: 0, milliseconds: 0 };

/**
 * Works on a piece until it is done or its slice is over; then the message of the next slice is sent, and this one may go.
 *
 * A crash before that repeats the slice from its checkpoint. Messages that come twice come to an end: a slice that another
 * message followed is dropped, when it comes or when it ends, and that message or one after it is still under way.
 * @returns whether the piece is done
 */
export async function workInSlices(
  ports: Ports,
  queues: Queues,
  plan: Plan,
  message: WorkMessage,
  work: (ports: Ports) => Promise<void>,
): Promise<boolean> {
  const { store, clock } = ports;
  const { stage, piece, slice } = message;
  const key = outputKey(plan, stage, piece, 'slices.json');
  const before = slice === undefined ? unsliced : (await readSlices(store, key)).slices;
  if (slice !== undefined && slice <= before.followed) return false;
  const started = clock.now();
  try {
    await work({ ...ports, earlierMilliseconds: before.milliseconds });
  } catch (error) {
    if (!(error instanceof SliceOver)) throw error;
    await follow(ports, queues, message, key, clock.now() - started);
    return false;
  }
  if (slice !== undefined) await store.delete(key);
  return true;
}

/** Sends first and remembers it then: what dies in between sends twice, and never not at all. */
async function follow(
  { store, log }: Ports,
  queues: Queues,
  message: WorkMessage,
  key: string,
  milliseconds: number,
): Promise<void> {
  let known = await readSlices(store, key);
  // A message without a number is the piece's first, or asks for it anew: it goes on from where the piece is.
  const slice = message.slice ?? known.slices.followed + 1;
  if (slice <= known.slices.followed) return;
  await sendWork(queues, [{ ...message, slice: slice + 1 }]);
  log.note(`${message.stage}/${message.piece}: slice ${slice} is over, the next goes on from its checkpoint`);
  while (known.slices.followed < slice) {
    const next: Slices = { followed: slice, milliseconds: known.slices.milliseconds + milliseconds };
    if (await store.swap(key, toJson(next), known.etag)) return;
    known = await readSlices(store, key);
  }
}

async function readSlices(store: ObjectStore, key: string): Promise<{ slices: Slices; etag: string | undefined }> {
  const found = await store.getTagged(key);
  return { slices: found ? fromJson<Slices>(found.bytes) : unsliced, etag: found?.etag };
}
