/** Every key in the bucket is spelled here and nowhere else: stages, doors and the cloud's permissions all use these. */
import type { Stage } from './stage.ts';

const job = (name: string) => `jobs/${name}`;

export const keys = {
  request: (name: string) => `${job(name)}/request.json`,
  state: (name: string) => `${job(name)}/state.json`,
  /** The manifest: settings, counts and fingerprints of a planned job. */
  plan: (name: string) => `${job(name)}/plan.json`,
  shard: (name: string, fingerprint: string, shard: string) => `${job(name)}/plan/${fingerprint}-${shard}.json`,
  /** While a long listing is under way: how far it is, and the images found so far, block by block. */
  listing: (name: string) => `${job(name)}/plan/listing.json`,
  listed: (name: string, digest: string) => `${job(name)}/plan/listed-${digest}.json`,
  /** The output of one piece of work. The fingerprint names everything it depends on. */
  output: (name: string, stage: Stage, fingerprint: string, piece: string, extension: string) =>
    `${job(name)}/${stage}/${fingerprint}-${piece}.${extension}`,
  /** Written last: the piece is complete. */
  marker: (name: string, stage: Stage, fingerprint: string, piece: string) =>
    `${job(name)}/done/${stage}/${fingerprint}-${piece}.json`,
  markers: (name: string, stage: Stage, fingerprint: string) => `${job(name)}/done/${stage}/${fingerprint}-`,
  /** Why a piece could not be done; counts no more once its marker is there. */
  failure: (name: string, stage: Stage, fingerprint: string, piece: string) =>
    `${job(name)}/failed/${stage}/${fingerprint}-${piece}.json`,
  failures: (name: string) => `${job(name)}/failed/`,
  /** Exists while a job is not done: what the sweeper looks after. */
  running: (name: string) => `running/${name}`,
  allRunning: 'running/',
  allMarkers: (name: string) => `${job(name)}/done/`,
  /** Files people read; beside the stages' folders in the cloud, at the top of DIR on a laptop. */
  published: (name: string, file: string) => `${job(name)}/${file}`,

  datasets: 'datasets/',
  images: (dataset: string) => `datasets/${dataset}/images/`,
  masks: (dataset: string) => `datasets/${dataset}/masks/`,
  /** `id<tab>name` lines beside the masks' folder. */
  categories: (masksPrefix: string) => masksPrefix.replace(/[^/]+\/$/, 'categories.txt'),
  backbone: (file: string) => `backbones/${file}`,
  /** How the push of a folder is getting on, beside what it pushes. */
  pushed: (prefix: string) => `${prefix.replace(/\/$/, '')}.push.json`,

  /** The table of a benchmark protocol. */
  leaderboard: (protocol: string) => `leaderboard/${protocol}.json`,
  leaderboards: 'leaderboard/',
  /** The same table for people. */
  leaderboardPage: (protocol: string) => `leaderboard/${protocol}.html`,

  model: (model: string, version: string, file: string) => `models/${model}/${version}/${file}`,
  currentModel: (model: string) => `models/${model}/current.json`,

  /** A single image, labelled as it arrives. */
  live: (model: string, image: string) => `live/${model}/${image}`,
  /** Its label map, and beside it what was done: `path` as by `labelPaths`. */
  liveLabel: (model: string, path: string) => `labels/${model}/${path}`,
  liveRecord: (model: string, path: string) => `labels/${model}/${path.replace(/\.png$/, '.json')}`,
  /** Which images one message of the queue `live` stands for. */
  liveBatch: (model: string, batch: string) => `batches/${model}/${batch}.json`,
  /** Why a batch waits; gone when it is sent. */
  held: (model: string, batch: string) => `held/${model}/${batch}.json`,
  allHeld: 'held/',
  modelsPrefix: 'models/',
  jobsPrefix: 'jobs/',

  /** An answer of the API that is too large to be sent; read through a link, deleted after a day. */
  result: (id: string, extension: string) => `results/${id}.${extension}`,
  /** What an Idempotency-Key was first used for. */
  wish: (hash: string) => `wishes/${hash}.json`,
};

/** The piece's name from its marker key. */
export const pieceOfMarker = (key: string): string => key.slice(key.lastIndexOf('/') + 10, -'.json'.length);

/** Fingerprints are eight hex digits, so that `pieceOfMarker` can cut them off. */
export const fingerprintLength = 8;
