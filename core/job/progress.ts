/** What may start next is a pure function of which markers exist. */
import { candidateClusters } from '../clustering/candidate-clusters.ts';
import { finalLabels, type Plan, validationShard } from './plan.ts';
import type { Stage } from './stage.ts';

/** Pieces that may run side by side; the next wave waits for all of them. */
export interface Wave {
  readonly stage: Stage;
  readonly pieces: readonly string[];
}

export const restartPiece = (restart: number): string => `restart-${String(restart).padStart(3, '0')}`;

/** How well one number of clusters fits, with `--clusters auto`. */
export const candidatePiece = (clusters: number): string => `candidate-${String(clusters).padStart(5, '0')}`;
export const clustersOfCandidate = (piece: string): number => Number(piece.slice(candidatePiece(0).length - 5));

/** With `--clusters auto` the candidates and the choice among them come first. */
const choosing = ({ clusters, images, request }: Plan): Wave[] =>
  clusters === 'auto' && request.kind === 'run'
    ? [
        { stage: 'cluster', pieces: candidateClusters(Math.min(images, request.sample ?? images)).map(candidatePiece) },
        { stage: 'cluster', pieces: ['choice'] },
      ]
    : [];

/** The model fine-tuned on the pseudo labels; the shards are labelled by it after that. */
export const tunedPiece = 'model';

/** The tally of a shard's pseudo labels, where they are not the result. */
export const pseudoPiece = (shard: string): string => `pseudo-${shard}`;

/** Every piece of a planned job, in order. */
export function waves(plan: Plan): Wave[] {
  const { request, shards } = plan;
  const all: Wave[] = [];
  if (request.kind === 'run') {
    all.push(
      { stage: 'attend', pieces: ['head'] },
      { stage: 'embed', pieces: shards },
      { stage: 'embed', pieces: ['near-duplicates'] },
      { stage: 'cluster', pieces: ['catalog'] },
      ...choosing(plan),
      { stage: 'cluster', pieces: Array.from({ length: request.restarts }, (_, r) => restartPiece(r)) },
      { stage: 'cluster', pieces: ['best'] },
    );
    if (request.threshold === 'from-masks') all.push({ stage: 'evaluate', pieces: ['threshold'] });
  }
  all.push({ stage: 'label', pieces: shards });
  const tuned = finalLabels(plan) === 'finetune';
  if (tuned) all.push({ stage: 'finetune', pieces: [tunedPiece] }, { stage: 'finetune', pieces: shards });
  const validated = plan.validation ? [validationShard] : [];
  if (request.masks) {
    const more = request.kind === 'run' ? [...(tuned ? shards.map(pseudoPiece) : []), 'pixels'] : [];
    all.push({ stage: 'evaluate', pieces: [...validated, ...shards, ...more] });
    all.push({ stage: 'evaluate', pieces: ['metrics'] });
  } else if (validated.length) all.push({ stage: 'evaluate', pieces: validated });
  all.push({ stage: 'publish', pieces: ['publish'] });
  return all;
}

/** The first wave with missing pieces, and which are missing; undefined when the job is done. @param done `stage/piece` of every marker */
export function nextWave(plan: Plan, done: ReadonlySet<string>): Wave | undefined {
  for (const { stage, pieces } of waves(plan)) {
    const missing = pieces.filter(piece => !done.has(`${stage}/${piece}`));
    if (missing.length) return { stage, pieces: missing };
  }
  return undefined;
}

/** Done and total per stage, for people. */
export function countPieces(plan: Plan, done: ReadonlySet<string>): Record<string, { done: number; total: number }> {
  const counts: Record<string, { done: number; total: number }> = {};
  for (const { stage, pieces } of waves(plan)) {
    counts[stage] ??= { done: 0, total: 0 };
    counts[stage].total += pieces.length;
    counts[stage].done += pieces.filter(piece => done.has(`${stage}/${piece}`)).length;
  }
  return counts;
}
