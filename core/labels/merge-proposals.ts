/**
 * Merge proposals, `merges.json`: pairs of clusters that look like one thing cut in two.
 *
 *   {"version":1,"above":0.5,"proposals":[
 *     {"clusters":[2,6],"score":0.71,"cosine":0.62,"together":0.81,"images":31}
 *   ]}
 *
 * Clusters, not classes, so that the proposals stay right whatever has been renamed or merged since.
 */
import * as z from 'zod';
import { PermanentError, UsageError } from '../errors.ts';
import { mergeClasses } from './class-edits.ts';
import type { ClassMap } from './class-map.ts';

export interface MergeProposal {
  /** Two cluster ids, the smaller first. */
  readonly clusters: readonly [number, number];
  /** √(cosine · together), 0 … 1: both must speak for it. */
  readonly score: number;
  /** Of the two centroids, seen from the mean of all centroids; below 0 counts as 0. */
  readonly cosine: number;
  /** Images with both / √(images with the one · images with the other) (Ochiai). */
  readonly together: number;
  /** Images with both. */
  readonly images: number;
}

/**
 * Score from which a merge is proposed. Measured on 100 clusters of photos in 50 folders: of 27 pairs above it, 22 lie
 * mostly in the same folder.
 */
export const proposedAbove = 0.5;

const schema = z.object({
  version: z.literal(1),
  above: z.number(),
  proposals: z.array(
    z.object({
      clusters: z.tuple([z.int().min(0), z.int().min(0)]),
      score: z.number(),
      cosine: z.number(),
      together: z.number(),
      images: z.int(),
    }),
  ),
});

/** The bytes of `merges.json`, one proposal per line. */
export function formatMergeProposals(proposals: readonly MergeProposal[]): Uint8Array {
  const lines = proposals.map(proposal => JSON.stringify(proposal));
  return new TextEncoder().encode(`{"version":1,"above":${proposedAbove},"proposals":[\n${lines.join(',\n')}\n]}\n`);
}

/** @throws PermanentError saying what is wrong where */
export function parseMergeProposals(bytes: Uint8Array, file = 'merges.json'): MergeProposal[] {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new PermanentError(`${file} is no JSON; run the job again to make it anew`, { cause });
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data.proposals;
  const { path, message } = result.error.issues[0]!;
  throw new PermanentError(`${file}: ${path.join('.') || 'the whole'}: ${message}`);
}

/** Clusters joined so far. */
interface Group {
  readonly clusters: readonly number[];
}

const pairKey = (a: number, b: number): string => (a < b ? `${a} ${b}` : `${b} ${a}`);

/**
 * Groups of clusters that go together: the two groups with the highest mean score between their clusters are joined until
 * none reaches `above` (average linkage, so that a chain of likenesses does not swallow everything; a pair without a
 * proposal counts 0).
 * @returns groups of two clusters or more, each ascending, by their first
 */
export function mergeGroups(proposals: readonly MergeProposal[], above: number): number[][] {
  const scores = new Map(proposals.map(({ clusters: [a, b], score }) => [pairKey(a, b), score]));
  const mean = (a: Group, b: Group) => {
    let sum = 0;
    for (const x of a.clusters) for (const y of b.clusters) sum += scores.get(pairKey(x, y)) ?? 0;
    return sum / (a.clusters.length * b.clusters.length);
  };
  const wanted = proposals.filter(({ score }) => score >= above);
  let groups: Group[] = [...new Set(wanted.flatMap(({ clusters }) => clusters))]
    .sort((a, b) => a - b)
    .map(cluster => ({ clusters: [cluster] }));
  for (;;) {
    let best: { a: Group; b: Group; score: number } | undefined;
    for (const [i, b] of groups.entries()) {
      for (const a of groups.slice(0, i)) {
        const score = mean(a, b);
        if (score >= above && score > (best?.score ?? 0)) best = { a, b, score };
      }
    }
    if (!best) break;
    const { a, b } = best;
    const joined = { clusters: [...a.clusters, ...b.clusters].sort((x, y) => x - y) };
    groups = [...groups.filter(group => group !== a && group !== b), joined];
  }
  return groups
    .map(({ clusters }) => [...clusters])
    .filter(clusters => clusters.length > 1)
    .sort((a, b) => a[0]! - b[0]!);
}

/**
 * Carries the proposals out on the classes as they are now: where a group's clusters lie in different classes, those are
 * joined into the first of them. Ignored classes are left alone: somebody decided about them.
 * @throws UsageError if nothing is left to merge
 */
export function mergeProposed(map: ClassMap, proposals: readonly MergeProposal[], above: number): ClassMap {
  let merged = map;
  for (const group of mergeGroups(proposals, above)) {
    const classes = merged.classes.filter(
      ({ clusters, ignore }) => !ignore && clusters.some(cluster => group.includes(cluster)),
    );
    if (classes.length < 2) continue;
    merged = mergeClasses(
      merged,
      classes.map(({ id }) => `#${id}`),
    );
  }
  if (merged === map)
    throw new UsageError(`no proposal of ${above} or more is left to carry out; lower it with --above`);
  // One edit, whatever the number of merges.
  return { ...merged, version: map.version + 1 };
}
