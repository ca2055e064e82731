/** Single images as they arrive: gathered into batches for the task `live`, or held until their model is published. */
import { keys } from '#core/job/keys';
import { isJobName } from '#core/job/request';
import type { BatchItem } from './advance-batch.ts';
import { toJson } from './documents.ts';
import type { LiveMessage } from './messages.ts';
import type { ObjectStore, Ports, Queue } from './ports.ts';
import { type CreatedObject, parseS3Event } from './s3-event.ts';

/** What one message of the queue `live` stands for. */
export interface LiveBatch {
  readonly model: string;
  readonly images: readonly LiveImage[];
}

export interface LiveImage {
  /** Path below `live/<model>/`. */
  readonly name: string;
  readonly size: number;
  readonly etag: string;
}

/** Why a batch waits. */
export interface Held {
  readonly model: string;
  readonly batch: string;
  readonly images: number;
  readonly since: string;
  readonly reason: string;
}

export interface FannedOut {
  /** The messages it stands for. */
  readonly ids: readonly string[];
  readonly model: string | undefined;
  readonly images: number;
  readonly outcome: 'sent' | 'held' | 'ignored' | 'failed';
  readonly reason?: string;
}

/** Images one message stands for at most. */
const batchSize = 256;

type World = Pick<Ports, 'store' | 'clock' | 'digest'>;

/** An image that several events name is taken once, as the last of them says. One outcome per model, and one per message of no use. */
export async function fanOut(world: World, queue: Queue, items: readonly BatchItem[]): Promise<FannedOut[]> {
  const outcomes: FannedOut[] = [];
  const models = new Map<string, { ids: string[]; images: Map<string, LiveImage> }>();
  for (const { id, body } of items) {
    try {
      for (const object of parseS3Event(JSON.parse(body))) {
        const found = liveImage(object);
        if ('reason' in found) outcomes.push({ ids: [], model: undefined, images: 0, outcome: 'ignored', ...found });
        else enter(models, id, found);
      }
    } catch (error) {
      outcomes.push({ ids: [id], model: undefined, images: 0, outcome: 'failed', reason: (error as Error).message });
    }
  }
  for (const [model, { ids, images }] of models)
    outcomes.push({ ids, model, images: images.size, ...(await dispatch(world, queue, model, [...images.values()])) });
  return outcomes;
}

type Found = { readonly model: string; readonly image: LiveImage };

function liveImage({ key, size, etag }: CreatedObject): Found | { readonly reason: string } {
  const [, model, name] = /^live\/([^/]+)\/(.+)$/su.exec(key) ?? [];
  if (model === undefined || name === undefined || !isJobName(model))
    return { reason: `${key} belongs to no model: expected live/<model>/<image>` };
  if (name.split('/').some(part => part === '' || part.startsWith('.')))
    return { reason: `${key} is hidden or has an empty part in its name` };
  return { model, image: { name, size, etag } };
}

function enter(
  models: Map<string, { ids: string[]; images: Map<string, LiveImage> }>,
  id: string,
  { model, image }: Found,
): void {
  const known = models.get(model) ?? { ids: [], images: new Map<string, LiveImage>() };
  if (!known.ids.includes(id)) known.ids.push(id);
  known.images.set(image.name, image);
  models.set(model, known);
}

async function dispatch(
  world: World,
  queue: Queue,
  model: string,
  images: readonly LiveImage[],
): Promise<Pick<FannedOut, 'outcome' | 'reason'>> {
  try {
    const sorted = [...images].sort((a, b) => (a.name < b.name ? -1 : 1));
    const batches: string[] = [];
    for (let i = 0; i < sorted.length; i += batchSize)
      batches.push(await writeBatch(world, { model, images: sorted.slice(i, i + batchSize) }));
    if (await world.store.head(keys.currentModel(model))) {
      await queue.send(batches.map(batch => liveMessage(model, batch)));
      return { outcome: 'sent' };
    }
    const reason = `no model named ${model} is published yet; the images are labelled when it is`;
    for (const [i, batch] of batches.entries()) {
      const waiting = Math.min(batchSize, sorted.length - i * batchSize);
      const since = new Date(world.clock.now()).toISOString();
      await world.store.put(
        keys.held(model, batch),
        toJson({ model, batch, images: waiting, since, reason } satisfies Held),
      );
    }
    return { outcome: 'held', reason };
  } catch (error) {
    return { outcome: 'failed', reason: (error as Error).message };
  }
}

/** The same images have the same batch, so an event that comes again writes nothing new. */
async function writeBatch({ store, digest }: World, batch: LiveBatch): Promise<string> {
  const bytes = toJson(batch);
  const name = digest.sha256(bytes).slice(0, 32);
  await store.putNew(keys.liveBatch(batch.model, name), bytes);
  return name;
}

const liveMessage = (model: string, batch: string): string =>
  JSON.stringify({ v: 1, stage: 'live', model, batch } satisfies LiveMessage);

export interface HeldBatches {
  readonly sent: number;
  readonly waiting: number;
}

/** Sends the batches whose model has been published meanwhile; counts batches. Sent first, then forgotten: twice does no harm. */
export async function releaseHeld(store: ObjectStore, queue: Queue): Promise<HeldBatches> {
  const published = new Map<string, boolean>();
  let [sent, waiting] = [0, 0];
  for await (const key of store.keys(keys.allHeld)) {
    const [model = '', file = ''] = key.slice(keys.allHeld.length).split('/');
    if (!published.has(model)) published.set(model, (await store.head(keys.currentModel(model))) !== undefined);
    if (published.get(model)) {
      await queue.send([liveMessage(model, file.slice(0, -'.json'.length))]);
      await store.delete(key);
      sent++;
    } else waiting++;
  }
  return { sent, waiting };
}
