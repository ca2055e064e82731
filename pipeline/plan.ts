/** Stage plan: lists the images, cuts them into shards and settles every setting. */
import { PermanentError } from '#core/errors';
import { keys } from '#core/job/keys';
import { defaultClusters, type Plan, type PlannedImage, shardName, shardSize } from '#core/job/plan';
import { type JobRequest, parseRequest, settleRun } from '#core/job/request';
import { assertMasksFit } from './check-masks.ts';
import { fromJson, readJson, toJson } from './documents.ts';
import { assertRequestTrainable } from './fine-tuning-step.ts';
import { fingerprints } from './fingerprints.ts';
import { assertMasked, countClasses, truthRules } from './ground-truth.ts';
import { mapInOrder } from './in-flight.ts';
import { readImage } from './inputs.ts';
import { type Listing, openListing } from './listing.ts';
import type { ObjectStore, Ports } from './ports.ts';
import { planValidation, validationSet } from './validation-set.ts';

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
  const validation = request.kind === 'run' ? await planValidation(ports, job, request) : undefined;
  const masked = request.masks ? await allOf(listing) : [];
  const classes = highestOf(await checkMasks(ports, request, masked), validation?.classes);
  const clusters = request.kind === 'run' ? (request.clusters ?? classes ?? defaultClusters(count)) : 0;
  if (!(await writeShards(ports, job, listing, goesOn))) return false;
  const inputs = { planned: fingerprint, clusters, classes, validation: validation?.fingerprint };
  const document: Plan = {
    version: 1,
    job,
    request,
    images: count,
    shards: Array.from({ length: Math.ceil(count / shardSize(count)) }, (_, i) => shardName(i)),
    clusters,
    classes,
    ...(validation && { validation: validation.fingerprint }),
    fingerprints: await fingerprints(ports, request, inputs),
  };
  const before = await planBefore(ports.store, job);
  if (before?.fingerprints.evaluate !== document.fingerprints.evaluate) await lookAtMasks(ports, document, masked);
  await publishAgain(ports.store, document, before);
  await ports.store.put(keys.plan(job), toJson(document));
  await listing.forget();
  return true;
}

async function planBefore(store: ObjectStore, job: string): Promise<Plan | undefined> {
  const bytes = await store.get(keys.plan(job));
  return bytes && fromJson<Plan>(bytes);
}

/** @param masked the images, where there are masks */
async function lookAtMasks(ports: Ports, plan: Plan, masked: readonly PlannedImage[]): Promise<void> {
  const { request } = plan;
  if (request.masks) await assertMasksFit(ports, truthRules(plan), request.images, masked);
  const validation = await validationSet(ports, plan);
  if (validation) await assertMasksFit(ports, validation.rules, validation.prefix, validation.images);
}

/** What `publish` writes for people lies in one place: going back to settings of an earlier run must write it again. */
async function publishAgain(store: ObjectStore, { job, fingerprints }: Plan, before: Plan | undefined): Promise<void> {
  if (!before || before.fingerprints.publish === fingerprints.publish) return;
  await store.delete(keys.marker(job, 'publish', fingerprints.publish, 'publish'));
}

/** The number of classes that covers both sets of masks; undefined where there are none. */
const highestOf = (own: number | undefined, validation: number | undefined): number | undefined =>
  own === undefined || validation === undefined ? (own ?? validation) : Math.max(own, validation);

async function allOf(listing: Listing): Promise<PlannedImage[]> {
  const images: PlannedImage[] = [];
  for await (const block of listing.blocks(0)) for (const image of block.images()) images.push(image);
  return images;
}

/** @returns how many classes the masks have; undefined without masks */
async function checkMasks(
  ports: Ports,
  request: JobRequest,
  images: readonly PlannedImage[],
): Promise<number | undefined> {
  const { masks } = request;
  if (!masks) return undefined;
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
