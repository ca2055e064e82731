/** Stage plan: lists the images, cuts them into shards and settles every setting. */
import { PermanentError } from '#core/errors';
import { keys } from '#core/job/keys';
import { defaultClusters, type Plan, type PlannedImage, shardName, shardSize } from '#core/job/plan';
import { type JobRequest, parseRequest, settleRun } from '#core/job/request';
import { fromJson, readJson, toJson } from './documents.ts';
import { assertRequestTrainable } from './fine-tuning-step.ts';
import { fingerprints } from './fingerprints.ts';
import { assertMasked, countClasses } from './ground-truth.ts';
import { mapInOrder } from './in-flight.ts';
import { readImage } from './inputs.ts';
import { type Listing, openListing } from './listing.ts';
import type { ObjectStore, Ports } from './ports.ts';

/** Shards written at the same time. */
const shardsAtOnce = 8;

/**
 * Plans a job. A long listing is kept block by block, so that planning may stop between blocks and go on later, in this
 * process or another; memory holds one block at a time.
 * @param goesOn asked after every block of a long listing; false: stop here
 * @returns whether the plan is complete; false: call again
 * @throws PermanentError if the request or its inputs cannot be used
 */
export async function plan(ports: Ports, job: string, goesOn: () => boolean = () => true): Promise<boolean> {
  const request = parseRequest(await readJson(ports.store, keys.request(job)));
  const listing = await openListing(ports, job, request.images, goesOn);
  if (!listing) return false;
  const { count, fingerprint } = listing;
  if (count === 0) throw new PermanentError(`no files under ${request.images}; put images there and run again`);
  if (request.kind === 'run') await assertRequestTrainable(ports.store, settleRun(request));
  const classes = await checkMasks(ports, request, listing);
  const clusters = request.kind === 'run' ? (request.clusters ?? classes ?? defaultClusters(count)) : 0;
  if (!(await writeShards(ports, job, listing, goesOn))) return false;
  const document: Plan = {
    version: 1,
    job,
    request,
    images: count,
    shards: Array.from({ length: Math.ceil(count / shardSize(count)) }, (_, i) => shardName(i)),
    clusters,
    classes,
    fingerprints: await fingerprints(ports, request, { planned: fingerprint, clusters, classes }),
  };
  await publishAgain(ports.store, document);
  await ports.store.put(keys.plan(job), toJson(document));
  await listing.forget();
  return true;
}

/** What `publish` writes for people lies in one place: going back to settings of an earlier run must write it again. */
async function publishAgain(store: ObjectStore, { job, fingerprints }: Plan): Promise<void> {
  const before = await store.get(keys.plan(job));
  if (!before || fromJson<Plan>(before).fingerprints.publish === fingerprints.publish) return;
  await store.delete(keys.marker(job, 'publish', fingerprints.publish, 'publish'));
}

/** @returns how many classes the masks have; undefined without masks */
async function checkMasks(ports: Ports, request: JobRequest, listing: Listing): Promise<number | undefined> {
  const { masks } = request;
  if (!masks) return undefined;
  const images: PlannedImage[] = [];
  for await (const block of listing.blocks(0)) for (const image of block.images()) images.push(image);
  const classes = await countClasses(ports, { ...request, masks }, images);
  const readable = async (image: PlannedImage) => (await readImage(ports, request.images, image)).state === 'read';
  await assertMasked(ports, masks, images, readable);
  return classes;
}

/** @returns false if it was told to stop before the last */
async function writeShards(ports: Ports, job: string, listing: Listing, goesOn: () => boolean): Promise<boolean> {
  const size = shardSize(listing.count);
  for await (const { count, from, shard, settle } of listing.blocks(listing.written)) {
    const starts = Array.from({ length: Math.ceil(count / size) }, (_, i) => i * size);
    const write = (start: number) => {
      const name = shardName((from + start) / size);
      const bytes = shard(name, start, Math.min(count, start + size));
      return ports.store.putNew(keys.shard(job, listing.fingerprint, name), bytes);
    };
    for await (const _ of mapInOrder(starts, shardsAtOnce, write));
    await settle();
    if (from + count < listing.count && !goesOn()) return false;
  }
  return true;
}
