import { describe, expect, it } from 'vitest';
import { clusterAccuracy, contingency, normalisedMutualInformation } from '#core/metrics/mutual-information';
import { Random } from '#core/random';
import { slowBestTotal } from './slow-evaluation.ts';

const pairsOf = (...text: string[]) => text.map(pair => [pair[0]!, pair[1]!] as const);

/** Σ p(x,y) log(p(x,y) / (p(x) p(y))) over the mean entropy, from the items themselves. */
function slowNmi(pairs: readonly (readonly [string, string])[]): number {
  const share = (test: (pair: readonly [string, string]) => boolean) => pairs.filter(test).length / pairs.length;
  const clusters = [...new Set(pairs.map(([cluster]) => cluster))];
  const classes = [...new Set(pairs.map(([, name]) => name))];
  const ofCluster = clusters.map(a => share(([cluster]) => cluster === a));
  const ofClass = classes.map(b => share(([, name]) => name === b));
  let information = 0;
  for (const [i, a] of clusters.entries()) {
    for (const [j, b] of classes.entries()) {
      const both = share(([cluster, name]) => cluster === a && name === b);
      if (both > 0) information += both * Math.log(both / (ofCluster[i]! * ofClass[j]!));
    }
  }
  const entropy = (shares: number[]) => -shares.reduce((sum, p) => sum + p * Math.log(p), 0);
  return (2 * information) / (entropy(ofCluster) + entropy(ofClass));
}

describe('mutual information and cluster accuracy', () => {
  it('of hand-made cases', () => {
    const score = (...text: string[]) => {
      const counts = contingency(pairsOf(...text));
      return [normalisedMutualInformation(counts), clusterAccuracy(counts)];
    };
    expect(score('1a', '1a', '2b', '2b')).toEqual([1, 1]);
    expect(score('1a', '1b', '2a', '2b')).toEqual([0, 0.5]);
    expect(score('1a', '1a')).toEqual([1, 1]);
    expect(score('1a', '1b')).toEqual([0, 0.5]);
    expect(score('1a', '2a', '3b')).toEqual([expect.closeTo(0.73368, 5), expect.closeTo(2 / 3, 12)]);
  });

  it('of random groupings follow the definitions', () => {
    const random = new Random(61);
    for (let round = 0; round < 300; round++) {
      const clusters = 2 + random.integer(4);
      const classes = 2 + random.integer(4);
      const pairs = Array.from(
        { length: 5 + random.integer(40) },
        () => [`${random.integer(clusters)}`, `${random.integer(classes)}`] as const,
      );
      if (new Set(pairs.map(String)).size === 1) continue;
      const counts = contingency(pairs);
      expect(normalisedMutualInformation(counts)).toBeCloseTo(slowNmi(pairs), 12);
      const weights = Array.from({ length: clusters }, (_, a) =>
        Array.from(
          { length: classes },
          (_, b) => pairs.filter(pair => pair[0] === `${a}` && pair[1] === `${b}`).length,
        ),
      );
      expect(clusterAccuracy(counts)).toBeCloseTo(slowBestTotal(weights) / pairs.length, 12);
    }
  });
});
