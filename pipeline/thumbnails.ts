/** Small pictures for the report: the photo as JPEG and its labels as a transparent PNG of the same size. */
import { decodeIndexPng, encodeOverlayPng } from '#core/formats/png-index';
import { readTar } from '#core/formats/tar';
import { resizeLabelMap } from '#core/image/resize';
import { keys } from '#core/job/keys';
import { finalLabels, type Plan, type PlannedImage, type PlannedShard } from '#core/job/plan';
import { thumbnailSize } from '#core/pages/thumbnail-size';
import { readJson, readObject } from './documents.ts';
import { mapInOrder } from './in-flight.ts';
import { readInput } from './inputs.ts';
import { outputKey } from './marker.ts';
import type { Ports } from './ports.ts';

export interface Thumbnail {
  /** Relative to the page. */
  readonly thumbnail: string;
  readonly overlay: string;
  readonly width: number;
  readonly height: number;
}

const jpegQuality = 80;

/** Makes and stores the thumbnails of the named images, shard by shard. */
export async function writeThumbnails(
  ports: Ports,
  plan: Plan,
  names: ReadonlySet<string>,
): Promise<Map<string, Thumbnail>> {
  const order = new Map([...names].map((name, i) => [name, String(i).padStart(5, '0')]));
  const thumbnails = new Map<string, Thumbnail>();
  for (const shard of plan.shards) {
    const key = keys.shard(plan.job, plan.fingerprints.plan, shard);
    const { images } = await readJson<PlannedShard>(ports.store, key);
    const planned = new Map(images.filter(({ name }) => names.has(name)).map(image => [image.name, image]));
    if (!planned.size) continue;
    const wanted = [...readTar(await readObject(ports.store, outputKey(plan, finalLabels(plan), shard, 'tar')))]
      .map(({ name, bytes }) => ({ name: name.slice(0, -'.png'.length), bytes }))
      .filter(({ name }) => planned.has(name));
    const work = async ({ name, bytes }: (typeof wanted)[number]) =>
      [name, await writeOne(ports, plan, planned.get(name)!, bytes, order.get(name)!)] as const;
    for await (const [name, thumbnail] of mapInOrder(wanted, ports.tuning.threads * 3, work))
      thumbnails.set(name, thumbnail);
  }
  return thumbnails;
}

async function writeOne(
  ports: Ports,
  plan: Plan,
  planned: PlannedImage,
  labels: Uint8Array,
  number: string,
): Promise<Thumbnail> {
  const photo = await readInput(ports.store, plan.request.images, planned);
  const { image } = await ports.images.decode(photo, shown => thumbnailSize(shown.width, shown.height));
  const { width, height, ids } = await decodeIndexPng(labels, (bytes, limit) => ports.images.inflate(bytes, limit));
  const small = resizeLabelMap({ width, height, data: ids }, image.width, image.height);
  const overlay = await encodeOverlayPng(small, {
    deflate: (bytes, runs) => ports.images.deflate(bytes, runs),
    alpha: 255,
  });
  const at = (extension: string) => `thumbnails/${number}.${extension}`;
  await ports.store.put(
    keys.published(plan.job, `report/${at('jpg')}`),
    await ports.images.encodeJpeg(image, jpegQuality),
  );
  await ports.store.put(keys.published(plan.job, `report/${at('png')}`), overlay);
  return { thumbnail: at('jpg'), overlay: at('png'), width: image.width, height: image.height };
}
