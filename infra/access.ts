/** Which keys each stage and function touches, spelled by `core/job/keys` with `*` for what varies. Roles allow this and nothing more. */
import { keys } from '#core/job/keys';
import { type Stage, stages } from '#core/job/stage';
import type { FunctionName, TaskName } from '#pipeline/settings';

/** Patterns of keys; in `lists` prefixes. */
export interface Access {
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  readonly lists: readonly string[];
  readonly deletes: readonly string[];
}

const any = '*';
const output = (stage: Stage) => keys.output(any, stage, any, any, any);
const marker = (stage: Stage) => keys.marker(any, stage, any, any);
/** Every stage of a job but its first. */
const laterStages = stages.filter(stage => stage !== 'plan');

const plan = keys.plan(any);
const state = keys.state(any);
const shard = keys.shard(any, any, any);
const images = 'datasets/*';
/** Why planning failed; forgotten when it is tried again. */
const planFailures = `${keys.failures(any)}plan/`;
const backbones = keys.backbone(any);
const models = keys.model(any, any, any);

/** What a stage reads and writes of its own: the plan, its marker; where it fails, what failed and that the job did. */
const piece = (stage: Stage, more: Partial<Access>): Access => ({
  reads: [plan, state, marker(stage), ...(more.reads ?? [])],
  writes: [output(stage), marker(stage), keys.failure(any, stage, any, any), state, ...(more.writes ?? [])],
  lists: more.lists ?? [],
  deletes: more.deletes ?? [],
});

const stageAccess: Readonly<Record<Exclude<Stage, 'plan' | 'publish'>, Access>> = {
  // Its own outputs too: checkpoints of a gate in training, gone once it is trained.
  attend: piece('attend', { reads: [shard, images, backbones, output('attend')], deletes: [output('attend')] }),
  embed: piece('embed', { reads: [shard, images, backbones, output('attend'), output('embed')] }),
  cluster: piece('cluster', {
    reads: [backbones, output('attend'), output('embed'), marker('embed'), output('cluster')],
    // Checkpoints of a long k-means run, once it is over.
    deletes: [output('cluster')],
  }),
  label: piece('label', {
    reads: [shard, images, models, output('attend'), output('cluster'), output('evaluate')],
  }),
  finetune: piece('finetune', {
    reads: [shard, images, backbones, output('attend'), output('label'), output('finetune')],
    // Checkpoints, once the model is there.
    deletes: [output('finetune')],
  }),
  evaluate: piece('evaluate', {
    reads: [
      shard,
      images,
      backbones,
      output('attend'),
      output('cluster'),
      output('label'),
      output('finetune'),
      output('evaluate'),
    ],
  }),
};

const live: Access = {
  reads: [keys.live(any, any), keys.liveBatch(any, any), models, keys.currentModel(any)],
  writes: [keys.liveLabel(any, any), keys.liveRecord(any, any)],
  lists: [],
  deletes: [],
};

/** @throws Error for a task whose keys nobody has named */
export function taskAccess(task: TaskName): Access {
  if (task === 'live') return live;
  const access = (stageAccess as Partial<Record<Stage, Access>>)[task];
  if (!access) throw new Error(`infra/access.ts does not say which keys the task ${task} touches`);
  return access;
}

/** Moves a job on: `advance` when a piece is finished, `backlog` when word of it was lost. */
const advancing: Access = {
  reads: [plan, state, `${keys.failures(any)}*`],
  writes: [state],
  lists: [keys.allMarkers(any), keys.failures(any)],
  deletes: [],
};

export const functionAccess: Readonly<Record<FunctionName, Access>> = {
  plan: {
    reads: [keys.request(any), plan, state, keys.listing(any), keys.listed(any, any), images, backbones, models],
    writes: [plan, shard, state, keys.listing(any), keys.listed(any, any), keys.running(any)],
    lists: ['datasets/*', planFailures],
    deletes: [`${planFailures}*`, marker('publish'), keys.listing(any), keys.listed(any, any)],
  },
  publish: piece('publish', {
    reads: [shard, images, backbones, models, ...laterStages.flatMap(stage => [output(stage), marker(stage)])],
    writes: [...people(), models, keys.currentModel(any)],
    lists: [keys.published(any, 'report/thumbnails/')],
    deletes: [keys.published(any, 'report/thumbnails/*')],
  }),
  advance: advancing,
  'fan-out': {
    reads: [keys.currentModel(any)],
    writes: [keys.liveBatch(any, any), keys.held(any, any)],
    lists: [],
    deletes: [],
  },
  backlog: {
    reads: [...advancing.reads, keys.currentModel(any)],
    writes: advancing.writes,
    lists: [...advancing.lists, keys.allRunning, keys.allHeld],
    deletes: [keys.running(any), keys.held(any, any)],
  },
  score: {
    reads: ['submissions/*', keys.leaderboard(any)],
    writes: [keys.leaderboard(any), keys.leaderboardPage(any)],
    lists: [],
    deletes: [],
  },
};

/** Ground truth of benchmarks, in the bucket that submitters cannot read. */
export const hiddenMasks: Access = {
  reads: ['*/masks/*', '*/categories.txt'],
  writes: [],
  lists: ['*/masks/*'],
  deletes: [],
};

/** What people see of a finished job. */
function people(): string[] {
  return ['receipt.json', 'receipt/*', 'metrics.json', 'merges.json', 'report/*'].map(file =>
    keys.published(any, file),
  );
}

/** The API reads published models and states of jobs, asks for jobs, and puts large answers where a link leads to. */
export const apiAccess: Access = {
  reads: [models, keys.currentModel(any), plan, state, keys.request(any), keys.wish(any), images, keys.live(any, any)],
  writes: [keys.request(any), keys.wish(any), keys.result(any, any)],
  lists: [keys.modelsPrefix, keys.jobsPrefix],
  deletes: [],
};
