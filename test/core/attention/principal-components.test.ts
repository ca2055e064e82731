import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { expect, test } from 'vitest';
import { addMoments, covarianceOf, emptyMoments } from '#core/attention/covariance';
import { plainProduct, principalComponents } from '#core/attention/principal-components';
import { Random } from '#core/random';

/** Covariance of random vectors whose axes fade like 1 / i^power; rank as given. */
function fadingCovariance(dimension: number, rank: number, power: number, seed: number): Float64Array {
  const random = new Random(seed);
  const rows = Matrix.from1DArray(
    rank,
    dimension,
    Float64Array.from(
      { length: rank * dimension },
      (_, i) => random.normal() / (1 + Math.floor(i / dimension)) ** power,
    ),
  );
  return Float64Array.from(rows.transpose().mmul(rows).to1DArray());
}

function dense(covariance: Float64Array, dimension: number) {
  const decomposition = new EigenvalueDecomposition(Matrix.from1DArray(dimension, dimension, covariance), {
    assumeSymmetric: true,
  });
  const values = [...decomposition.realEigenvalues].reverse();
  return { values, vector: (i: number) => decomposition.eigenvectorMatrix.getColumn(dimension - 1 - i) };
}

test.each([
  [200, 16, 300, 0.7],
  [200, 64, 300, 0.2],
  [150, 40, 150, 0.01],
  [40, 40, 60, 0.5],
  [7, 3, 9, 0.5],
  [1, 1, 3, 0.5],
])('d = %i, k = %i: values and vectors equal the dense decomposition', async (dimension, count, rank, power) => {
  const covariance = fadingCovariance(dimension, rank, power, 3);
  const expected = dense(covariance, dimension);
  const found = await principalComponents(dimension, count, plainProduct(covariance, dimension), { tolerance: 1e-9 });
  expect(found.converged).toBe(true);
  for (let v = 0; v < count; v++) {
    expect(found.variances[v]! / expected.values[v]!).toBeCloseTo(1, 8);
    const reference = expected.vector(v);
    const component = found.components.subarray(v * dimension, (v + 1) * dimension);
    const cosine = component.reduce((sum, entry, i) => sum + entry * reference[i]!, 0);
    expect(Math.abs(cosine)).toBeGreaterThan(1 - 1e-6);
    const largest = component.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
    expect(largest).toBeGreaterThan(0);
  }
});

test('more components than the rank: variances of zero, still orthonormal', async () => {
  const found = await principalComponents(30, 12, plainProduct(fadingCovariance(30, 5, 0.5, 8), 30));
  expect(found.variances[4]).toBeGreaterThan(0.1);
  for (let v = 5; v < 12; v++) expect(found.variances[v]).toBeLessThan(1e-9);
  const rows = Matrix.from1DArray(12, 30, found.components);
  const products = rows.mmul(rows.transpose()).sub(Matrix.eye(12));
  expect(Math.max(...products.to1DArray().map(Math.abs))).toBeLessThan(1e-10);
});

test('an all-zero covariance has zero variances', async () => {
  const found = await principalComponents(20, 4, plainProduct(new Float64Array(400), 20));
  expect([...found.variances]).toEqual([0, 0, 0, 0]);
  expect(found.components.every(Number.isFinite)).toBe(true);
});

test('products in float32 reach the default tolerance, and the same call gives the same bytes', async () => {
  const covariance = fadingCovariance(200, 300, 0.4, 21);
  const exact = plainProduct(covariance, 200);
  const product = async (rows: Float64Array, count: number) =>
    Float32Array.from(await exact(Float64Array.from(Float32Array.from(rows)), count));
  const found = await principalComponents(200, 32, product);
  expect(found.converged).toBe(true);
  const expected = dense(covariance, 200);
  for (let v = 0; v < 32; v++) expect(found.variances[v]! / expected.values[v]!).toBeCloseTo(1, 5);
  expect((await principalComponents(200, 32, product)).components).toEqual(found.components);
});

test('says so when it stops before the tolerance is reached', async () => {
  const covariance = fadingCovariance(200, 400, 0.01, 5);
  const found = await principalComponents(200, 8, plainProduct(covariance, 200), { mostRestarts: 0 });
  expect(found.converged).toBe(false);
  expect(found.residual).toBeGreaterThan(1e-6);
});

test('refuses a count outside 1 … dimension', async () => {
  await expect(principalComponents(3, 4, plainProduct(new Float64Array(9), 3))).rejects.toThrow('4 components');
});

test('covariance from sums of parts equals the definition', () => {
  const random = new Random(2);
  const rows = Array.from({ length: 50 }, () => Float64Array.from({ length: 4 }, () => random.normal() + 3));
  const sums = emptyMoments(4);
  for (const part of [rows.slice(0, 20), rows.slice(20)]) {
    const products = new Float64Array(16);
    const sum = new Float64Array(4);
    for (const row of part) {
      for (let i = 0; i < 4; i++) {
        sum[i]! += row[i]!;
        for (let j = 0; j < 4; j++) products[i * 4 + j]! += row[i]! * row[j]!;
      }
    }
    addMoments(sums, { count: part.length, sum, products });
  }
  const { mean, covariance } = covarianceOf(sums);
  for (let i = 0; i < 4; i++) {
    expect(mean[i]).toBeCloseTo(rows.reduce((a, row) => a + row[i]!, 0) / 50, 10);
    for (let j = 0; j < 4; j++) {
      const expected = rows.reduce((a, row) => a + (row[i]! - mean[i]!) * (row[j]! - mean[j]!), 0) / 50;
      expect(covariance[i * 4 + j]).toBeCloseTo(expected, 10);
    }
  }
  expect(() => covarianceOf(emptyMoments(2))).toThrow('no vectors');
});
