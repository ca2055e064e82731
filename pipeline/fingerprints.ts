/** Fingerprints: eight hex digits per stage that change with every setting and input its outputs depend on. */
import { filterBank } from '#core/backbone/filter-bank';
import { PermanentError } from '#core/errors';
import { fingerprintLength } from '#core/job/keys';
import type { Plan, PlannedImage } from '#core/job/plan';
import { type JobRequest, settleRun } from '#core/job/request';
import type { Stage } from '#core/job/stage';
import { settingsKey } from './backbone.ts';
import { toJson } from './documents.ts';
import type { ObjectStore, Ports } from './ports.ts';

/** Raised when a stage computes something else from the same inputs, so that old outputs are not taken for new ones. */
const recipeVersion = 2;

/** The fingerprint of anything that JSON can say. */
export const fingerprintOf = ({ digest }: Pick<Ports, 'digest'>, ...parts: unknown[]): string =>
  digest.sha256(toJson([recipeVersion, ...parts])).slice(0, fingerprintLength);

/** What of a request's inputs is known by now. */
interface KnownInputs {
  /** The plan's own fingerprint: it covers the images. */
  readonly planned: string;
  readonly clusters: Plan['clusters'];
  readonly classes: number | undefined;
  /** Of the images of the validation set. */
  readonly validation?: string | undefined;
}

/** Each stage's fingerprint covers its own settings and the fingerprints of the stages it reads. */
export async function fingerprints(
  ports: Pick<Ports, 'store' | 'digest'>,
  request: JobRequest,
  { planned, clusters, classes, validation }: KnownInputs,
): Promise<Record<Stage, string>> {
  const hash = (...parts: unknown[]) => fingerprintOf(ports, ...parts);
  const masksHash = async (masks: string) =>
    hash('masks', await listMaskFiles(ports.store, masks), classes, request.ignore, request.background);
  const masks = request.masks ? await masksHash(request.masks) : '';
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
  const validated = run.valMasks ? hash('validation', validation, await masksHash(run.valMasks)) : '';
  const label = hash('label', cluster, run.threshold, run.threshold === 'from-masks' ? validated || masks : '');
  const tuning = [run.finetune, run.trainMinutes, run.trainEpochs, run.trainBatch, run.method, run.seed];
  const finetune = run.finetune === 'none' ? '' : hash('finetune', label, ...tuning);
  const evaluate = hash('evaluate', label, ...(finetune ? [finetune] : []), masks, ...(validated ? [validated] : []));
  const publish = hash('publish', label, finetune, evaluate, request);
  return { plan: planned, attend, embed, cluster, label, finetune, evaluate, publish };
}

async function backboneHash(ports: Pick<Ports, 'store' | 'digest'>, backbone: string): Promise<string> {
  if (backbone === 'filter-bank') return ports.digest.sha256(filterBank());
  const settings = await ports.store.head(settingsKey(backbone));
  return `${await etagOf(ports.store, backbone)} ${settings?.etag ?? ''}`;
}

const attentionHash = async (ports: Pick<Ports, 'store'>, attention: string): Promise<string> =>
  attention.startsWith('backbones/') ? etagOf(ports.store, attention) : attention;

async function etagOf(store: ObjectStore, key: string): Promise<string> {
  const found = await store.head(key);
  if (!found) throw new PermanentError(`${key} is missing; upload it before the request`);
  return found.etag;
}

async function listMaskFiles(store: ObjectStore, prefix: string): Promise<PlannedImage[]> {
  const masks: PlannedImage[] = [];
  for await (const { key, size, etag } of store.list(prefix))
    masks.push({ name: key.slice(prefix.length), size, etag });
  return masks;
}
