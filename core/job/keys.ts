/** Every key in the bucket is spelled here and nowhere else: stages, doors and the cloud's permissions all use these. */
import type { Stage } from './stage.ts';

const job = (name: string) => `jobs/${name}`;

export const keys = {
  request: (name: string) => `${job(name)}/request.json`,
  state: (name: string) => `${job(name)}/state.json`,
  /** The manifest: settings, counts and fingerprints of a planned job. */
  plan: (name: string) => `${job(name)}/plan.json`,
  shard: (name: string, fingerprint: string, shard: string) => `${job(name)}/plan/${fingerprint}-${shard}.json`,
  /** The output of one piece of work. The fingerprint names everything it depends on. */
  output: (name: string, stage: Stage, fingerprint: string, piece: string, extension: string) =>
    `${job(name)}/${stage}/${fingerprint}-${piece}.${extension}`,
  /** Written last: the piece is complete. */
  marker: (name: string, stage: Stage, fingerprint: string, piece: string) =>
    `${job(name)}/done/${stage}/${fingerprint}-${piece}.json`,
  markers: (name: string, stage: Stage, fingerprint: string) => `${job(name)}/done/${stage}/${fingerprint}-`,
  /** Files people read; beside the stages' folders in the cloud, at the top of DIR on a laptop. */
  published: (name: string, file: string) => `${job(name)}/${file}`,

  images: (dataset: string) => `datasets/${dataset}/images/`,
  masks: (dataset: string) => `datasets/${dataset}/masks/`,
  /** `id<tab>name` lines beside the masks' folder. */
  categories: (masksPrefix: string) => masksPrefix.replace(/[^/]+\/$/, 'categories.txt'),
  backbone: (file: string) => `backbones/${file}`,

  /** The table of a benchmark protocol. */
  leaderboard: (protocol: string) => `leaderboard/${protocol}.json`,
  leaderboards: 'leaderboard/',

  model: (model: string, version: string, file: string) => `models/${model}/${version}/${file}`,
  currentModel: (model: string) => `models/${model}/current.json`,
};

/** The piece's name from its marker key. */
export const pieceOfMarker = (key: string): string => key.slice(key.lastIndexOf('/') + 10, -'.json'.length);

/** Fingerprints are eight hex digits, so that `pieceOfMarker` can cut them off. */
export const fingerprintLength = 8;
