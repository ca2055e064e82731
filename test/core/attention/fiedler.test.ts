import fc from 'fast-check';
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { expect, test } from 'vitest';
import { fiedlerScore } from '#core/attention/fiedler';
import { foregroundSeed } from '#core/attention/foreground-seed';
import { dominantEigenvector } from '#core/attention/lanczos';
import { ringMeans, ringPositions } from '#core/attention/ring';
import { zScore } from '#core/attention/z-score';
import { Random } from '#core/random';
import { discScene, type FeatureGrid, gramOf, normaliseRows } from './scene.ts';

/** From the definition, in float64, with features: y = l2(x − mean), W, the dense normalised Laplacian, its second vector. */
function slowFiedler({ features, dimension, height, width }: FeatureGrid): Float64Array {
  const n = height * width;
  const centred = Float64Array.from(features);
  for (let k = 0; k < dimension; k++) {
    let mean = 0;
    for (let i = 0; i < n; i++) mean += features[i * dimension + k]! / n;
    for (let i = 0; i < n; i++) centred[i * dimension + k]! -= mean;
  }
  normaliseRows(centred, dimension);
  const y = Matrix.from1DArray(n, dimension, centred);
  const affinities = y.mmul(y.transpose()).apply(function (this: Matrix, i, j) {
    this.set(i, j, Math.max(this.get(i, j), 1e-5));
  });
  const degrees = affinities.sum('row');
  const laplacian = Matrix.eye(n).sub(
    affinities.apply(function (this: Matrix, i, j) {
      this.set(i, j, this.get(i, j) / Math.sqrt(degrees[i]! * degrees[j]!));
    }),
  );
  const { eigenvectorMatrix } = new EigenvalueDecomposition(laplacian, { assumeSymmetric: true });
  const second = eigenvectorMatrix.getColumn(1);
  return zScore(second.map((v, i) => v / Math.sqrt(degrees[i]!)));
}

const cosine = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i]! * b[i]!;
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  return ab / Math.sqrt(aa * bb);
};

test.each([
  [12, 14, 0.4],
  [8, 12, 0.1],
  [10, 10, 1],
  [4, 5, 0.4],
  [2, 3, 0.4],
])('equals the dense eigenvector on a %i x %i grid with noise %f', (height, width, noise) => {
  for (const seed of [1, 2, 3]) {
    const scene = discScene(height, width, 24, seed, noise);
    const score = fiedlerScore(gramOf(scene.features, scene.dimension), height, width);
    expect(Math.abs(cosine(score, slowFiedler(scene)))).toBeGreaterThan(0.9999);
  }
});

test('is z-scored, turned so that the ring is lower than the inside, and the same every time', () => {
  fc.assert(
    fc.property(fc.integer({ min: 3, max: 9 }), fc.integer({ min: 3, max: 9 }), fc.integer(), (height, width, seed) => {
      const scene = discScene(height, width, 8, seed);
      const gram = gramOf(scene.features, scene.dimension);
      const score = fiedlerScore(gram, height, width);
      expect(score.reduce((a, b) => a + b, 0)).toBeCloseTo(0, 8);
      expect(Math.hypot(...score) ** 2).toBeCloseTo(height * width, 6);
      const means = ringMeans(score, ringPositions(height, width));
      expect(means.ring).toBeLessThanOrEqual(means.inside + 1e-9);
      expect(fiedlerScore(gram, height, width)).toEqual(score);
    }),
    { numRuns: 30 },
  );
});

test('an image that looks alike everywhere has no foreground', () => {
  const features = new Float32Array(6 * 5 * 4).fill(0.5);
  const seed = foregroundSeed(gramOf(features, 4), 6, 5);
  expect([...seed.fiedler]).toEqual(new Array(30).fill(0));
  expect([...seed.combined]).toEqual(new Array(30).fill(0));
  expect([...fiedlerScore(Float32Array.of(1), 1, 1)]).toEqual([0]);
});

test('a position that equals the mean of the image does not spoil the others', () => {
  // Features ±e on two sides and their mean, zero, in the middle column (cosines 0).
  const sides = [1, 1, 0, -1, -1, 1, 1, 0, -1, -1, 1, 1, 0, -1, -1];
  const gram = Float32Array.from({ length: 225 }, (_, i) => sides[Math.floor(i / 15)]! * sides[i % 15]!);
  const score = fiedlerScore(gram, 3, 5);
  expect(score.every(Number.isFinite)).toBe(true);
  expect(Math.sign(score[0]!)).toBe(-Math.sign(score[4]!));
});

test('the seed is the sum of both scores', () => {
  const scene = discScene(9, 11, 16, 4);
  const { border, fiedler, combined } = foregroundSeed(gramOf(scene.features, scene.dimension), 9, 11);
  for (let i = 0; i < combined.length; i++) expect(combined[i]).toBe(border[i]! + fiedler[i]!);
  expect(combined[4 * 11 + 5]).toBeGreaterThan(1);
  expect(combined[0]).toBeLessThan(0);
});

test('finds the dominant eigenvector beside a known one, for random symmetric matrices', () => {
  const random = new Random(11);
  const n = 60;
  const known = new Float64Array(n).fill(1 / Math.sqrt(n));
  const basis = Matrix.from1DArray(
    n,
    n,
    Float64Array.from({ length: n * n }, () => random.normal()),
  );
  const projector = Matrix.eye(n).sub(Matrix.ones(n, n).div(n));
  const matrix = projector.mmul(basis.mmul(basis.transpose())).mmul(projector).add(Matrix.ones(n, n).div(n).mul(500));
  const { eigenvectorMatrix, realEigenvalues } = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
  const order = realEigenvalues.map((v, i) => [v, i] as const).sort((a, b) => b[0] - a[0]);
  const { vector, value } = dominantEigenvector(Float32Array.from(matrix.to1DArray()), known, 1e-8);
  expect(order[0]![0]).toBeCloseTo(500, 3);
  expect(value / order[1]![0]).toBeCloseTo(1, 6);
  expect(Math.abs(cosine(vector, eigenvectorMatrix.getColumn(order[1]![1])))).toBeGreaterThan(0.999999);
});

test('z-scores', () => {
  expect([...zScore([1, 2, 3])].map(v => +v.toFixed(6))).toEqual([-1.224745, 0, 1.224745]);
  expect([...zScore([0.1, 0.1, 0.1])]).toEqual([0, 0, 0]);
  expect([...zScore([])]).toEqual([]);
});
