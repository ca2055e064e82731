/** Merge proposals: the file, the groups they make, and what carrying them out does. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PermanentError, UsageError } from '#core/errors';
import { ignoreClasses, mergeClasses } from '#core/labels/class-edits';
import { defaultClasses } from '#core/labels/class-map';
import { formatMergeProposals, mergeGroups, mergeProposed, parseMergeProposals } from '#core/labels/merge-proposals';

const pair = (a: number, b: number, score: number) => ({
  clusters: [a, b] as const,
  score,
  cosine: score,
  together: score,
  images: 5,
});

test('merges.json reads back as it was written, and what is wrong is named', () => {
  const proposals = [pair(2, 6, 0.71), pair(0, 1, 0.4)];
  expect(parseMergeProposals(formatMergeProposals(proposals))).toEqual(proposals);
  expect(parseMergeProposals(formatMergeProposals([]))).toEqual([]);
  const bytes = (text: string) => new TextEncoder().encode(text);
  expect(() => parseMergeProposals(bytes('{'))).toThrow(
    new PermanentError('merges.json is no JSON; run the job again to make it anew'),
  );
  expect(() => parseMergeProposals(bytes('{"version":1,"above":0.5,"proposals":[{"clusters":[1]}]}'))).toThrow(
    /^merges.json: proposals.0.clusters/,
  );
});

describe('groups', () => {
  test('only what is sure enough; pairs that share a cluster join if all of them fit in the mean', () => {
    expect(mergeGroups([pair(2, 6, 0.7), pair(0, 1, 0.4)], 0.5)).toEqual([[2, 6]]);
    // 1–2–3 with 1–3: (0.5 + 0.6) / 2 ≥ 0.5.
    expect(mergeGroups([pair(1, 2, 0.9), pair(2, 3, 0.6), pair(1, 3, 0.5)], 0.5)).toEqual([[1, 2, 3]]);
    // Without it a chain: (0 + 0.6) / 2 < 0.5.
    expect(mergeGroups([pair(1, 2, 0.9), pair(2, 3, 0.6)], 0.5)).toEqual([[1, 2]]);
  });

  test('no cluster twice, every group with a link that is sure enough', () => {
    const proposals = fc
      .uniqueArray(
        fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 12 })).filter(([a, b]) => a < b),
        {
          selector: String,
        },
      )
      .chain(pairs =>
        fc
          .array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: pairs.length, maxLength: pairs.length })
          .map(scores => pairs.map(([a, b], i) => pair(a, b, scores[i]!))),
      );
    fc.assert(
      fc.property(proposals, fc.double({ min: 0.01, max: 1, noNaN: true }), (list, above) => {
        const groups = mergeGroups(list, above);
        const all = groups.flat();
        expect(new Set(all).size).toBe(all.length);
        for (const group of groups) {
          const inside = list.filter(({ clusters }) => clusters.every(cluster => group.includes(cluster)));
          expect(Math.max(...inside.map(({ score }) => score))).toBeGreaterThanOrEqual(above);
        }
        // What is left apart has no pair of single clusters that is sure enough.
        const single = list.filter(({ clusters, score }) => score >= above && !clusters.some(c => all.includes(c)));
        expect(single).toEqual([]);
      }),
    );
  });
});

describe('carried out', () => {
  test('joins the classes that hold the clusters now, as one version', () => {
    const named = mergeClasses(defaultClasses(8), ['3', '8'], 'dog');
    const merged = mergeProposed(named, [pair(6, 7, 0.8), pair(0, 1, 0.6), pair(3, 4, 0.2)], 0.5);
    expect(merged.version).toBe(named.version + 1);
    expect(merged.classes.map(({ name, clusters }) => [name, clusters])).toEqual([
      ['class 1', [0, 1]],
      ['dog', [2, 6, 7]],
      ['class 4', [3]],
      ['class 5', [4]],
      ['class 6', [5]],
    ]);
  });

  test('leaves ignored classes alone, and says when there is nothing to do', () => {
    const map = ignoreClasses(defaultClasses(4), ['2'], true);
    expect(() => mergeProposed(map, [pair(0, 1, 0.9)], 0.5)).toThrow(UsageError);
    expect(() => mergeProposed(defaultClasses(4), [pair(0, 1, 0.4)], 0.5)).toThrow('lower it with --above');
    const joined = mergeClasses(defaultClasses(4), ['1', '2']);
    expect(() => mergeProposed(joined, [pair(0, 1, 0.9)], 0.5)).toThrow(UsageError);
  });
});
