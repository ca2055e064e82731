/** A request: what the user wants done with a prefix of images. Uploaded last, it starts the job. */
import * as z from 'zod';
import { PermanentError } from '../errors.ts';
import { sayIssues } from './say-issues.ts';

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const name = z
  .string()
  .regex(namePattern, 'letters, digits, ".", "_" and "-", at most 63, starting with a letter or digit');

/** Jobs and models are named alike. */
export const isJobName = (text: string): boolean => namePattern.test(text);
const prefix = (room: string) =>
  z.string().refine(key => key.startsWith(`${room}/`) && !key.split('/').includes('..'), `a key under ${room}/`);

const labelled = z.strictObject({
  images: prefix('datasets'),
  masks: prefix('datasets').optional(),
  classes: z.int().min(1).max(65_000).optional(),
  ignore: z.array(z.int().min(0).max(65_535)).optional(),
  background: z.enum(['auto', 'none']).default('auto'),
  labelFormat: z.enum(['index', 'imagenet-s']).default('index'),
  name: name.default('selflabel'),
  seed: z
    .int()
    .min(0)
    .max(2 ** 31 - 1)
    .default(0),
});

/** Options of `selflabel run`, in camelCase. Unknown keys are refused. */
export const runRequest = labelled.extend({
  backbone: z.union([z.literal('filter-bank'), prefix('backbones')]).default('filter-bank'),
  clusters: z
    .union([z.int().min(2).max(60_000), z.literal('auto')], 'a whole number from 2 to 60000, or "auto"')
    .optional(),
  /** How many images are clustered; all are labelled. Default: all. */
  sample: z.int().min(2).optional(),
  restarts: z.int().min(1).max(1000).default(10),
  /** A validation set: where the threshold `from-masks` and the matching come from, in place of `masks`. Both or none. */
  valImages: prefix('datasets').optional(),
  valMasks: prefix('datasets').optional(),
  threshold: z
    .union(
      [z.literal('from-scores'), z.literal('from-masks'), z.number().finite()],
      'a number, "from-scores" or "from-masks"',
    )
    .default('from-scores'),
  method: z.enum(['selflabel', 'pass']).default('selflabel'),
  attention: z.union([z.enum(['self-trained', 'pass', 'norm', 'border']), prefix('backbones')]).optional(),
  /** The gate of `pass`: over all channels, or behind a projection to 256. Default: exact with `method` pass or where the backbone brings prototypes. */
  gate: z.enum(['exact', 'projected']).optional(),
  unit: z.enum(['segments', 'pixels', 'object', 'image']).optional(),
  refine: z.enum(['guided', 'none']).optional(),
  scales: z.union([z.literal(1), z.literal(2)], '1 or 2').default(1),
  /** How many images `attend` looks at. */
  attendSample: z.int().min(1).default(150),
  /** What is trained on the pseudo labels. */
  finetune: z.enum(['none', 'head', 'all']).default('none'),
  /** How long: in minutes, or in passes over the pictures. Default: the recipe's passes. */
  trainMinutes: z.number().positive().max(100_000).optional(),
  trainEpochs: z.int().min(1).max(100_000).optional(),
  trainBatch: z.int().min(1).max(4096).optional(),
});

/** A published model applied to other images. */
export const predictRequest = labelled.extend({
  /** Prefix of model.onnx, card.json and classes.json. */
  model: prefix('models'),
});

export type RunRequest = z.output<typeof runRequest>;
export type PredictRequest = z.output<typeof predictRequest>;
export type JobRequest = ({ kind: 'run' } & RunRequest) | ({ kind: 'predict' } & PredictRequest);

const request = z.discriminatedUnion('kind', [
  runRequest.extend({ kind: z.literal('run') }),
  predictRequest.extend({ kind: z.literal('predict') }),
]);

/** @throws PermanentError that names the key that is wrong and what was expected */
export function parseRequest(document: unknown): JobRequest {
  const withKind =
    typeof document === 'object' && document !== null
      ? { kind: 'run', ...restartsOf(document), ...document }
      : document;
  const parsed = request.safeParse(withKind);
  if (parsed.success) return togetherOnly(parsed.data);
  throw new PermanentError(`the request is not usable: ${sayIssues(parsed.error)}`);
}

/** @throws PermanentError if what belongs together is not */
function togetherOnly(request: JobRequest): JobRequest {
  if (request.kind !== 'run') return request;
  const { valImages, valMasks, masks, threshold } = request;
  if ((valImages === undefined) !== (valMasks === undefined))
    throw new PermanentError('the request is not usable: valImages and valMasks belong together');
  if (threshold === 'from-masks' && !masks && !valMasks)
    throw new PermanentError('the request is not usable: threshold from-masks needs masks, or valImages and valMasks');
  return request;
}

/** The method takes the best of thirty k-means runs (2.4). */
const restartsOf = (document: object) => ('method' in document && document.method === 'pass' ? { restarts: 30 } : {});

/** Settings with the method's own choices filled in (`--method pass` sets unit, refinement and attention). */
export function settleRun(run: RunRequest) {
  const pass = run.method === 'pass';
  if (pass && run.scales !== 1)
    throw new PermanentError('--method pass works on one scale; leave out --scales 2 or use --method selflabel');
  return {
    ...run,
    attention: run.attention ?? (pass ? ('pass' as const) : ('self-trained' as const)),
    unit: run.unit ?? (pass ? ('image' as const) : ('segments' as const)),
    refine: run.refine ?? (pass ? ('none' as const) : ('guided' as const)),
  };
}

export type SettledRun = ReturnType<typeof settleRun>;
