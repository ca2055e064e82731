/** Choosing the number of clusters by what comes out alike in both halves of the data. */

/** One candidate, measured on several splits of the vectors into halves. */
export interface CandidateScore {
  readonly clusters: number;
  /** Adjusted Rand index between the clusterings found in the two halves, mean of the splits. */
  readonly agreement: number;
  /** Share of one half's scatter around its mean that the other half's centroids explain, mean of the splits; 0 … 1. */
  readonly explained: number;
  /** agreement · explained of every split. */
  readonly scores: readonly number[];
}

export interface ClusterChoice {
  readonly clusters: number;
  /** By clusters, ascending. */
  readonly curve: readonly (CandidateScore & { readonly score: number })[];
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function deviationOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return Math.sqrt(meanOf(values.map(value => (value - mean) ** 2)));
}

/** A deviation of a few splits may come out too small by chance: scores this near, as a share, count as equal in any case. */
const equalShare = 0.05;

/**
 * The fewest clusters whose score lies within one standard deviation (between splits; a twentieth at least) of the best.
 * Agreement alone is highest for a coarse cut in two, what is explained rises with every cluster, and their product is
 * highest where more clusters would no longer be found again.
 * @throws RangeError without candidates
 */
export function chooseClusters(candidates: readonly CandidateScore[]): ClusterChoice {
  if (candidates.length === 0) throw new RangeError('no candidates to choose from');
  const curve = candidates
    .map(candidate => ({ ...candidate, score: meanOf(candidate.scores) }))
    .sort((a, b) => a.clusters - b.clusters);
  const best = curve.reduce((top, candidate) => (candidate.score > top.score ? candidate : top));
  const enough = best.score - Math.max(deviationOf(best.scores), equalShare * best.score);
  return { clusters: curve.find(({ score }) => score >= enough)!.clusters, curve };
}
