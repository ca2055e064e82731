/** The adjusted Rand index against its definition by pairs. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { adjustedRand } from '#core/clustering/adjusted-rand';

const ids = (...values: number[]) => Int32Array.from(values);

/** Hubert & Arabie by looking at every pair of items. */
function byPairs(a: Int32Array, b: Int32Array): number {
  let [both, inA, inB, pairs] = [0, 0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < i; j++) {
      pairs++;
      if (a[i] === a[j]) inA++;
      if (b[i] === b[j]) inB++;
      if (a[i] === a[j] && b[i] === b[j]) both++;
    }
  }
  const expected = (inA * inB) / pairs;
  const most = (inA + inB) / 2;
  return most === expected ? 1 : (both - expected) / (most - expected);
}

test('equals the definition by pairs', () => {
  const clusterings = fc
    .integer({ min: 2, max: 30 })
    .chain(length =>
      fc.tuple(...[0, 1].map(() => fc.array(fc.integer({ min: 0, max: 4 }), { minLength: length, maxLength: length }))),
    );
  fc.assert(
    fc.property(clusterings, ([a, b]) => {
      expect(adjustedRand(ids(...a!), ids(...b!), 5)).toBeCloseTo(byPairs(ids(...a!), ids(...b!)), 12);
    }),
  );
});

test('1 for the same clusters under other ids, the textbook value in between, below 0 where worse than chance', () => {
  expect(adjustedRand(ids(0, 0, 1, 1, 2), ids(2, 2, 0, 0, 1), 3)).toBe(1);
  // scikit-learn's adjusted_rand_score([0, 0, 1, 2], [0, 0, 1, 1])
  expect(adjustedRand(ids(0, 0, 1, 2), ids(0, 0, 1, 1), 3)).toBeCloseTo(0.5714285714, 9);
  expect(adjustedRand(ids(0, 0, 1, 1), ids(0, 1, 0, 1), 2)).toBeCloseTo(-0.5, 12);
  expect(() => adjustedRand(ids(0), ids(0, 1), 2)).toThrow('1 and 2');
});
