/** What the building and the doors must agree on: environment variables, functions, tasks and queues. One table each; the building derives itself from them. */
import * as z from 'zod';
import { type Stage, stages } from '#core/job/stage';
import { type Environment, jsonValue, readEnvironment } from './environment.ts';

/** The environment of every function and task. */
export const settingNames = {
  bucket: 'SELFLABEL_BUCKET',
  /** JSON: the address of the queue of each stage. */
  workQueues: 'SELFLABEL_WORK_QUEUES',
  controlQueue: 'SELFLABEL_CONTROL_QUEUE',
  /** The bucket of hidden masks; only `score` needs it. */
  masksBucket: 'SELFLABEL_MASKS_BUCKET',
  /** Where batches of single images wait for the task `live`. */
  liveQueue: 'SELFLABEL_LIVE_QUEUE',
  /** `dev`, `staging`, `prod`: a dimension of every metric. */
  environment: 'SELFLABEL_ENVIRONMENT',
  /** Functions: what the tasks run on, for the report. Tasks: what this one must run on. `cpu`, `cuda` or `webgpu`. */
  device: 'SELFLABEL_DEVICE',
  /** Tasks only: whose queue this one works off, a `TaskName`. */
  task: 'SELFLABEL_TASK',
  /** Tasks only, if not all cores: threads to use. */
  threads: 'SELFLABEL_THREADS',
  /** Tasks only, if not as `visibilitySeconds` says: how long a message stays hidden without a heartbeat. */
  visibility: 'SELFLABEL_VISIBILITY_SECONDS',
  /** Tasks only, if not as `sliceSeconds` says: how long a message of a long piece is worked on. */
  slice: 'SELFLABEL_SLICE_SECONDS',
  /** Tasks only, where `machineFile` cannot say it: the machine, `g6.xlarge spot`. */
  machine: 'SELFLABEL_MACHINE',
} as const;

/** Where a machine writes down what it is: its type and `spot` or `on-demand`, which tasks may not ask. */
export const machineFile = '/etc/selflabel/machine';

/** Where a stage's messages are worked off: a function on Lambda, or a GPU task on ECS. */
export const stageHosts: Readonly<Record<Stage, 'function' | 'gpu'>> = {
  plan: 'function',
  attend: 'gpu',
  embed: 'gpu',
  cluster: 'gpu',
  label: 'gpu',
  finetune: 'gpu',
  evaluate: 'gpu',
  publish: 'function',
};

/** Stages on GPUs, and `live`: batches of single images. One queue, dead-letter queue and service that scales to zero each. */
export type TaskName = Stage | 'live';
export const taskNames: readonly TaskName[] = [...stages.filter(stage => stageHosts[stage] === 'gpu'), 'live'];

export const functionNames = ['plan', 'fan-out', 'advance', 'publish', 'backlog', 'score'] as const;
export type FunctionName = (typeof functionNames)[number];

export interface FunctionFacts {
  /** Whose messages start it. `schedule`: every minute. */
  readonly source: QueueName | 'schedule';
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  /** Messages per invocation, and how long they are gathered. */
  readonly batchSize: number;
  readonly batchWindowSeconds: number;
  /** Reads pictures: needs the layer `dist/layers/sharp` (Linux, x86-64). */
  readonly pictures: boolean;
}

/** The bundle of each is `dist/functions/<name>.mjs`, its entry `handler`; partial batch responses everywhere. */
export const functions: Readonly<Record<FunctionName, FunctionFacts>> = {
  plan: { source: 'plan', timeoutSeconds: 900, memoryMb: 1769, batchSize: 1, batchWindowSeconds: 0, pictures: true },
  'fan-out': {
    source: 'live-events',
    timeoutSeconds: 60,
    memoryMb: 512,
    batchSize: 256,
    batchWindowSeconds: 10,
    pictures: false,
  },
  advance: {
    source: 'control',
    timeoutSeconds: 120,
    memoryMb: 1024,
    batchSize: 100,
    batchWindowSeconds: 20,
    pictures: false,
  },
  publish: {
    source: 'publish',
    timeoutSeconds: 900,
    memoryMb: 3538,
    batchSize: 1,
    batchWindowSeconds: 0,
    pictures: true,
  },
  backlog: {
    source: 'schedule',
    timeoutSeconds: 50,
    memoryMb: 512,
    batchSize: 1,
    batchWindowSeconds: 0,
    pictures: false,
  },
  score: {
    source: 'submissions',
    timeoutSeconds: 900,
    memoryMb: 3538,
    batchSize: 1,
    batchWindowSeconds: 0,
    pictures: false,
  },
};

/**
 * `plan` takes the events of `jobs/*\/request.json`, `live-events` those of `live/`; each stage has a queue of its name;
 * `submissions` takes the events of `submissions/`; `control` takes word of finished pieces, `live` the batches that `fan-out` makes. Each has a dead-letter queue.
 */
export type QueueName = Stage | 'live-events' | 'submissions' | 'control' | 'live';
export const queueNames: readonly QueueName[] = [...stages, 'live-events', 'submissions', 'control', 'live'];

/** Prefix and suffix of the keys whose creation sends an event to a queue. */
export const triggers = [
  { queue: 'plan', prefix: 'jobs/', suffix: '/request.json' },
  { queue: 'live-events', prefix: 'live/', suffix: '' },
  { queue: 'submissions', prefix: 'submissions/', suffix: '.zip' },
] as const;

/**
 * Seconds a message stays hidden from others. Tasks renew it every third of that. For a function that takes batches six
 * times its limit, as AWS advises; for one that takes single messages, a little above it: a long pause after every failure
 * would cost more than work done twice, which changes nothing.
 */
export const visibilitySeconds = (queue: QueueName): number => {
  const consumer = functionNames.find(name => functions[name].source === queue);
  if (!consumer) return taskVisibilitySeconds;
  const { batchSize, timeoutSeconds } = functions[consumer];
  return batchSize === 1 ? timeoutSeconds + 60 : 6 * timeoutSeconds;
};
/** About twice what a shard of a large job takes: what a machine held that died is taken up again after that. */
const taskVisibilitySeconds = 600;

/**
 * Seconds after which a long piece (a training, a k-means run) stores a checkpoint and goes on with another message. What
 * comes before the first step is done in every slice: a slice is long beside it, and far below the 12 hours of SQS.
 */
export const sliceSeconds = 1800;

/** Tries before a message goes to the dead-letter queue. */
export const maxReceives = (queue: QueueName): number => ((taskNames as readonly string[]).includes(queue) ? 5 : 3);

/** What the Dockerfile of the tasks copies, made by `node build.mjs`: `gpu-tasks/image/Dockerfile` with this as its context. */
export const taskBundle = 'dist/gpu-task';
/** Longest a task may take from SIGTERM to its end; ECS's `stopTimeout`. */
export const taskStopSeconds = 110;

/** Metrics that functions and tasks print; dimensions `Environment` and `Queue`, or `Environment` and `Stage`. */
export const metrics = {
  namespace: 'Selflabel',
  /** Every minute per queue: messages waiting, hidden or delayed. What services are scaled by. */
  backlog: 'Backlog',
  /** Pieces finished, failed, and their seconds, per stage. */
  pieces: 'Pieces',
  failures: 'Failures',
  pieceSeconds: 'PieceSeconds',
  /** Batches of images under `live/` that wait for a model. */
  held: 'HeldBatches',
} as const;

const cloud = z.object({
  [settingNames.bucket]: z.string().min(3),
  [settingNames.workQueues]: z.preprocess(jsonValue, z.record(z.enum(stages), z.url())),
  [settingNames.controlQueue]: z.url(),
  [settingNames.liveQueue]: z.url(),
  [settingNames.environment]: z.string().default('local'),
  [settingNames.device]: z.enum(['cpu', 'cuda', 'webgpu']).default('cpu'),
});

const task = z.object({
  [settingNames.task]: z.enum(taskNames as [TaskName, ...TaskName[]]),
  [settingNames.threads]: z.coerce.number().int().min(1).max(256).optional(),
  [settingNames.visibility]: z.coerce.number().int().min(3).max(43_200).optional(),
  [settingNames.slice]: z.coerce.number().min(0).max(36_000).optional(),
  [settingNames.machine]: z.string().optional(),
});

export interface CloudSettings {
  readonly bucket: string;
  readonly workQueues: Readonly<Record<Stage, string>>;
  readonly controlQueue: string;
  readonly liveQueue: string;
  readonly environment: string;
  readonly device: 'cpu' | 'cuda' | 'webgpu';
}

export interface TaskSettings extends CloudSettings {
  readonly task: TaskName;
  /** Undefined: all cores. */
  readonly threads: number | undefined;
  readonly visibilitySeconds: number;
  readonly sliceSeconds: number;
  readonly machine: string | undefined;
}

/** @throws PermanentError that names the variable that is missing or wrong */
export function readSettings(environment: Environment): CloudSettings {
  const read = readEnvironment(cloud, environment);
  return {
    bucket: read[settingNames.bucket],
    workQueues: read[settingNames.workQueues],
    controlQueue: read[settingNames.controlQueue],
    liveQueue: read[settingNames.liveQueue],
    environment: read[settingNames.environment],
    device: read[settingNames.device],
  };
}

/** @throws PermanentError that names the variable that is missing or wrong */
export function readTaskSettings(environment: Environment): TaskSettings {
  const read = readEnvironment(task, environment);
  return {
    ...readSettings(environment),
    task: read[settingNames.task],
    threads: read[settingNames.threads],
    visibilitySeconds: read[settingNames.visibility] ?? visibilitySeconds(read[settingNames.task]),
    sliceSeconds: read[settingNames.slice] ?? sliceSeconds,
    machine: read[settingNames.machine],
  };
}

const scoring = z.object({
  [settingNames.bucket]: z.string().min(3),
  [settingNames.masksBucket]: z.string().min(3),
});

/** What scoring submissions needs. @throws PermanentError that names the variable that is missing or wrong */
export function readScoreSettings(environment: Environment): {
  readonly bucket: string;
  readonly masksBucket: string;
} {
  const read = readEnvironment(scoring, environment);
  return { bucket: read[settingNames.bucket], masksBucket: read[settingNames.masksBucket] };
}
