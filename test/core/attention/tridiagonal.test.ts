import fc from 'fast-check';
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { expect, test } from 'vitest';
import { largestEigenpair } from '#core/attention/tridiagonal';

const entry = fc.integer({ min: -300, max: 300 }).map(hundredths => hundredths / 100);

test('value and vector solve T v = λ v, and λ is the largest', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(entry, entry), { minLength: 1, maxLength: 30 }), pairs => {
      const diagonal = pairs.map(([a]) => a);
      const beside = pairs.map(([, b]) => b);
      const n = pairs.length;
      const dense = Matrix.zeros(n, n);
      for (let i = 0; i < n; i++) {
        dense.set(i, i, diagonal[i]!);
        if (i + 1 < n)
          for (const [r, c] of [
            [i, i + 1],
            [i + 1, i],
          ] as const)
            dense.set(r, c, beside[i]!);
      }
      const { value, vector } = largestEigenpair(diagonal, beside, n);
      const all = new EigenvalueDecomposition(dense, { assumeSymmetric: true }).realEigenvalues;
      expect(value).toBeCloseTo(Math.max(...all), 9);
      const image = dense.mmul(Matrix.columnVector([...vector])).to1DArray();
      for (let i = 0; i < n; i++) expect(image[i]).toBeCloseTo(value * vector[i]!, 6);
      expect(Math.hypot(...vector)).toBeCloseTo(1, 9);
    }),
  );
});
