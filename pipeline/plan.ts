/** Stage plan: lists the images, cuts them into shards and settles every setting. */
import { filterBank } from '#core/backbone/filter-bank';
import { PermanentError } from '#core/errors';
import { fingerprintLength, keys } from '#core/job/keys';
import { defaultClusters, type Plan, type PlannedImage, shardName, shardSize } from '#core/job/plan';
import { type JobRequest, parseRequest, settleRun } from '#core/job/request';
import type { Stage } from '#core/job/stage';
import { settingsKey } from './backbone.ts';
import { fromJson, readJson, toJson } from './documents.ts';
import { assertMasked, countClasses } from './ground-truth.ts';
import { readImage } from './inputs.ts';
import type { ObjectStore, Ports } from './ports.ts';

/** Raised when a stage computes something else from the same inputs, so that old outputs are not taken for new ones. */
const recipeVersion = 2;

export async function plan(ports: Ports, job: string): Promise<void> {
  const request = parseRequest(await readJson(ports.store, keys.request(job)));
  const images = await listImages(ports.store, request.images);
  if (!images.length) throw new PermanentError(`no files under ${request.images}; put images there and run again`);
  const { masks } = request;
  const classes = masks ? await countClasses(ports, { ...request, masks }, images) : undefined;
  const readable = async (image: PlannedImage) => (await readImage(ports, request.images, image)).state === 'read';
  if (masks) await assertMasked(ports, masks, images, readable);
  const clusters = request.kind === 'run' ? (request.clusters ?? classes ?? defaultClusters(images.length)) : 0;
  const fingerprints = await fingerprint(ports, request, images, clusters, classes);
  const shards = cut(images);
  const document: Plan = {
    version: 1,
    job,
    request,
    images: images.length,
    shards: shards.map((_, i) => shardName(i)),
    clusters,
    classes,
    fingerprints,
  };
  for (const [i, part] of shards.entries()) {
    await ports.store.putNew(
      keys.shard(job, fingerprints.plan, shardName(i)),
      toJson({ shard: shardName(i), images: part }),
    );
  }
  await publishAgain(ports.store, document);
  await ports.store.put(keys.plan(job), toJson(document));
}

/** What `publish` writes for people lies in one place: going back to settings of an earlier run must write it again. */
async function publishAgain(store: ObjectStore, { job, fingerprints }: Plan): Promise<void> {
  const before = await store.get(keys.plan(job));
  if (!before || fromJson<Plan>(before).fingerprints.publish === fingerprints.publish) return;
  await store.delete(keys.marker(job, 'publish', fingerprints.publish, 'publish'));
}

async function listImages(store: ObjectStore, prefix: string): Promise<PlannedImage[]> {
  const images: PlannedImage[] = [];
  for await (const { key, size, etag } of store.list(prefix))
    images.push({ name: key.slice(prefix.length), size, etag });
  return images;
}

function cut(images: readonly PlannedImage[]): PlannedImage[][] {
  const size = shardSize(images.length);
  return Array.from({ length: Math.ceil(images.length / size) }, (_, i) => images.slice(i * size, (i + 1) * size));
}

/** Each stage's fingerprint covers its own settings and the fingerprints of the stages it reads. */
async function fingerprint(
  ports: Ports,
  request: JobRequest,
  images: readonly PlannedImage[],
  clusters: Plan['clusters'],
  classes: number | undefined,
): Promise<Record<Stage, string>> {
  const hash = (...parts: unknown[]) =>
    ports.digest.sha256(toJson([recipeVersion, ...parts])).slice(0, fingerprintLength);
  const planned = hash('plan', request.images, images);
  const masks = request.masks
    ? hash('masks', await listImages(ports.store, request.masks), classes, request.ignore, request.background)
    : '';
  if (request.kind === 'predict') {
    const label = hash(
      'label',
      planned,
      await etagOf(ports.store, `${request.model}model.onnx`),
      await etagOf(ports.store, `${request.model}card.json`),
    );
    const evaluate = hash('evaluate', label, masks);
    return {
      plan: planned,
      attend: '',
      embed: '',
      cluster: '',
      label,
      finetune: '',
      evaluate,
      publish: hash('publish', label, evaluate, request),
    };
  }
  const run = settleRun(request);
  const attend = hash(
    'attend',
    planned,
    await backboneHash(ports, run.backbone),
    await attentionHash(ports, run.attention),
    run.scales,
    run.method,
    run.seed,
    run.unit === 'image',
    run.background,
    run.attendSample,
    run.refine,
    ...(run.attention === 'pass' ? [run.gate, run.trainMinutes, run.trainEpochs, run.trainBatch] : []),
  );
  const fixed = typeof run.threshold === 'number' ? run.threshold : null;
  const embed = hash('embed', attend, run.unit, fixed);
  const cluster = hash('cluster', embed, clusters, run.restarts, run.sample);
  const label = hash('label', cluster, run.threshold, run.threshold === 'from-masks' ? masks : '');
  const tuning = [run.finetune, run.trainMinutes, run.trainEpochs, run.trainBatch, run.method, run.seed];
  const finetune = run.finetune === 'none' ? '' : hash('finetune', label, ...tuning);
  const evaluate = hash('evaluate', label, ...(finetune ? [finetune] : []), masks);
  const publish = hash('publish', label, finetune, evaluate, request);
  return { plan: planned, attend, embed, cluster, label, finetune, evaluate, publish };
}

async function backboneHash(ports: Ports, backbone: string): Promise<string> {
  if (backbone === 'filter-bank') return ports.digest.sha256(filterBank());
  const settings = await ports.store.head(settingsKey(backbone));
  return `${await etagOf(ports.store, backbone)} ${settings?.etag ?? ''}`;
}

const attentionHash = async (ports: Ports, attention: string): Promise<string> =>
  attention.startsWith('backbones/') ? etagOf(ports.store, attention) : attention;

async function etagOf(store: ObjectStore, key: string): Promise<string> {
  const found = await store.head(key);
  if (!found) throw new PermanentError(`${key} is missing; upload it before the request`);
  return found.etag;
}
