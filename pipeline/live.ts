/** Stage live: a batch of single images, each labelled by the model that is current now. */
import { PermanentError } from '#core/errors';
import { keys } from '#core/job/keys';
import { labelPaths } from '#core/labels/label-path';
import { fromJson, readJson, toJson } from './documents.ts';
import type { LiveBatch, LiveImage } from './fan-out.ts';
import { mapInOrder } from './in-flight.ts';
import { type LabelledImage, labelOne } from './label.ts';
import { type Labeller, openPublished } from './labeller.ts';
import { parseLiveMessage } from './messages.ts';
import type { Ports } from './ports.ts';

/** Beside a label map: which image, as it was then, was labelled by which version, and what came out. Written last. */
export interface LiveRecord {
  readonly image: LabelledImage;
  readonly etag: string;
  readonly model: string;
  readonly version: string;
}

export interface LiveSummary {
  readonly model: string;
  readonly labelled: number;
  /** Labelled before: an event came again. */
  readonly known: number;
  readonly rejected: number;
  /** Deleted before their turn. */
  readonly gone: number;
}

type Outcome = Exclude<keyof LiveSummary, 'model'>;

/** Images may be replaced while they are labelled; somebody who does that without end gets a label of some moment. */
const mostTries = 3;

/** @throws PermanentError if the message, its batch or the model cannot be used */
export async function labelLive(ports: Ports, body: string): Promise<LiveSummary> {
  const { model, batch } = parseLiveMessage(body);
  const { images } = await readJson<LiveBatch>(ports.store, keys.liveBatch(model, batch));
  const { version } = await readJson<{ version: string }>(ports.store, keys.currentModel(model));
  const labeller = await openPublished(ports, keys.model(model, version, ''));
  const paths = labelPaths(images.map(({ name }) => name));
  const counts: Record<Outcome, number> = { labelled: 0, known: 0, rejected: 0, gone: 0 };
  try {
    const work = (image: LiveImage) => labelNow(ports, labeller, { model, version, path: paths.of(image.name) }, image);
    for await (const outcome of mapInOrder(images, ports.tuning.threads * 3, work)) counts[outcome]++;
  } finally {
    await labeller.model.release();
  }
  return { model, ...counts };
}

interface Target {
  readonly model: string;
  readonly version: string;
  /** Of the label map. */
  readonly path: string;
}

async function labelNow(ports: Ports, labeller: Labeller, target: Target, { name }: LiveImage): Promise<Outcome> {
  const key = keys.live(target.model, name);
  for (let tries = 1; ; tries++) {
    const found = await ports.store.head(key);
    if (!found) return 'gone';
    const { etag, size } = found;
    const path = await freePath(ports, target, name);
    const before = await recordAt(ports, target.model, path);
    if (before?.etag === etag && before.version === target.version) return 'known';
    const planned = { name, size, etag };
    const { image, png } = await labelOne(ports, labeller, { planned, bytes: () => ports.store.get(key) });
    if (png) await ports.store.put(keys.liveLabel(target.model, path), png);
    const record: LiveRecord = { image, etag, model: target.model, version: target.version };
    await ports.store.put(keys.liveRecord(target.model, path), toJson(record));
    const unchanged = (await ports.store.head(key))?.etag === etag;
    if (unchanged || tries === mostTries) return image.state === 'rejected' ? 'rejected' : 'labelled';
  }
}

/** Where another image of the same stem was first, both keep their extension, as far as that is still possible. */
async function freePath(ports: Ports, { model, path }: Target, name: string): Promise<string> {
  const owner = (await recordAt(ports, model, path))?.image.name ?? name;
  return owner === name ? path : `${name}.png`;
}

async function recordAt({ store }: Ports, model: string, path: string): Promise<LiveRecord | undefined> {
  const bytes = await store.get(keys.liveRecord(model, path));
  if (!bytes) return undefined;
  try {
    return fromJson<LiveRecord>(bytes);
  } catch {
    throw new PermanentError(`${keys.liveRecord(model, path)} is not of our making; remove it`);
  }
}
