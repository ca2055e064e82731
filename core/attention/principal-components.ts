/** The leading principal components of a covariance matrix too large for a full eigendecomposition. */
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { Random } from '../random.ts';
import { addCombination, extendBasis, lengthOf, projectOut, type RowBasis } from './orthonormal.ts';

/** rows · covariance for rows [count, dimension], row-major: nearly all of the work, so it may run elsewhere (in float32, too). */
export type CovarianceProduct = (rows: Float64Array, count: number) => Promise<Float64Array | Float32Array>;

export interface PrincipalComponents {
  /** Orthonormal, by falling variance, [count, dimension], row-major. In each, the entry of largest size is positive. */
  readonly components: Float64Array;
  /** Variance along each component, [count]. */
  readonly variances: Float64Array;
  /** Largest |C v − λ v| over the components, relative to the largest variance. */
  readonly residual: number;
  /** False if the residual was still above the tolerance when the search ended. */
  readonly converged: boolean;
}

export interface PrincipalComponentsOptions {
  /** Wanted residual. Products in float32 cannot go far below 1e-6. */
  readonly tolerance?: number;
  readonly seed?: number;
  readonly mostRestarts?: number;
}

/**
 * Block Krylov search from a random block with Rayleigh–Ritz and thick restarts (Musco & Musco, Randomized Block Krylov
 * Methods, 2015; Wu & Simon, Thick-Restart Lanczos, 2000). Deterministic for a given seed and product.
 * @param count how many components, 1 … dimension
 * @param product rows · covariance
 */
export async function principalComponents(
  dimension: number,
  count: number,
  product: CovarianceProduct,
  { tolerance = 1e-6, seed = 0, mostRestarts = 24 }: PrincipalComponentsOptions = {},
): Promise<PrincipalComponents> {
  if (!(count >= 1 && count <= dimension)) {
    throw new RangeError(`asked for ${count} components of a space with ${dimension} dimensions`);
  }
  const random = new Random(seed);
  const search = newSearch(dimension, count);
  let added = addRandomRows(search, random);
  for (let restarts = 0; ; restarts++) {
    let rest = await grow(search, added, product);
    // A block that fits in part only would leave the products of the one before it half outside the basis.
    for (; hasRoom(search, added); rest = await grow(search, added, product)) {
      added = extendBasis(search.basis, rest, search.scale * 1e-12);
      // Nothing left: the basis is closed under the covariance, and only chance can lead on.
      if (added === 0) added = addRandomRows(search, random);
    }
    const ritz = rayleighRitz(search);
    const residual = largestResidual(ritz, rest, added, count) / Math.max(ritz.values[0]!, 1e-300);
    const converged = residual <= tolerance || search.basis.count === dimension;
    if (converged || restarts === mostRestarts) return answer(search, ritz, count, residual, converged);
    restart(search, ritz, count + search.blockRows);
    added = extendBasis(search.basis, rest, search.scale * 1e-12);
  }
}

/** The product in plain float64. @param covariance symmetric [dimension, dimension], row-major */
export const plainProduct =
  (covariance: Float64Array, dimension: number): CovarianceProduct =>
  async (rows, count) => {
    const products = new Float64Array(count * dimension);
    for (let at = 0; at < products.length; at += dimension) {
      addCombination(products.subarray(at, at + dimension), covariance, rows.subarray(at, at + dimension));
    }
    return products;
  };

/** An orthonormal basis and the covariance within it (`projected`, [capacity, capacity]). */
interface Search {
  readonly basis: RowBasis;
  readonly projected: Float64Array;
  readonly capacity: number;
  readonly blockRows: number;
  /** Size of the largest product so far: what "small" is measured by. */
  scale: number;
}

interface Ritz {
  /** Descending. */
  readonly values: Float64Array;
  /** [values, basis rows]: weights of each Ritz vector. */
  readonly weights: Float64Array;
}

function newSearch(dimension: number, count: number): Search {
  const blockRows = Math.min(dimension, Math.max(8, Math.ceil(count / 2)));
  const capacity = Math.min(dimension, 6 * blockRows);
  const basis = { data: new Float64Array(capacity * dimension), dimension, count: 0 };
  return { basis, projected: new Float64Array(capacity * capacity), capacity, blockRows, scale: 0 };
}

function hasRoom({ basis, capacity }: Search, rows: number): boolean {
  return basis.count < capacity && (basis.count + rows <= capacity || capacity === basis.dimension);
}

/** Enters the products of the newest `added` rows into `projected`; returns what of them lies outside the basis. */
async function grow(search: Search, added: number, product: CovarianceProduct): Promise<Float64Array> {
  const { basis, projected, capacity } = search;
  const { dimension, count } = basis;
  const first = count - added;
  const rows = basis.data.slice(first * dimension, count * dimension);
  const products = Float64Array.from(await product(rows, added));
  for (let a = 0; a < added; a++) {
    const image = products.subarray(a * dimension, (a + 1) * dimension);
    search.scale = Math.max(search.scale, lengthOf(image));
    const parts = projectOut(basis, image);
    for (let b = 0; b < count; b++) {
      projected[b * capacity + first + a] = parts[b]!;
      projected[(first + a) * capacity + b] = parts[b]!;
    }
  }
  return products;
}

function rayleighRitz({ basis, projected, capacity }: Search): Ritz {
  const size = basis.count;
  const matrix = new Matrix(size, size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      matrix.set(i, j, (projected[i * capacity + j]! + projected[j * capacity + i]!) / 2);
    }
  }
  const decomposition = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
  const ascending = decomposition.realEigenvalues;
  const vectors = decomposition.eigenvectorMatrix;
  const weights = new Float64Array(size * size);
  for (let v = 0; v < size; v++) {
    for (let i = 0; i < size; i++) weights[v * size + i] = vectors.get(i, size - 1 - v);
  }
  return { values: Float64Array.from(ascending).reverse(), weights };
}

/** The residual of a Ritz vector is what the products of the newest rows leave outside the basis, weighted. */
function largestResidual({ weights, values }: Ritz, rest: Float64Array, added: number, count: number): number {
  const size = values.length;
  let largest = 0;
  for (let v = 0; v < count; v++) {
    const sum = new Float64Array(rest.length / added);
    addCombination(sum, rest, weights.subarray((v + 1) * size - added, (v + 1) * size));
    largest = Math.max(largest, lengthOf(sum));
  }
  return largest;
}

/** The basis becomes the `keep` leading Ritz vectors, in which the covariance is diagonal. */
function restart(search: Search, ritz: Ritz, keep: number): void {
  const { basis, projected, capacity } = search;
  const kept = ritzVectors(basis, ritz, Math.min(keep, basis.count));
  basis.data.set(kept);
  basis.count = kept.length / basis.dimension;
  for (let i = 0; i < basis.count; i++) {
    for (let j = 0; j < basis.count; j++) projected[i * capacity + j] = i === j ? ritz.values[i]! : 0;
  }
}

function ritzVectors(basis: RowBasis, { weights, values }: Ritz, count: number): Float64Array {
  const { dimension } = basis;
  const vectors = new Float64Array(count * dimension);
  for (let v = 0; v < count; v++) {
    const vector = vectors.subarray(v * dimension, (v + 1) * dimension);
    addCombination(vector, basis.data, weights.subarray(v * values.length, (v + 1) * values.length));
  }
  return vectors;
}

function answer(
  { basis }: Search,
  ritz: Ritz,
  count: number,
  residual: number,
  converged: boolean,
): PrincipalComponents {
  const components = ritzVectors(basis, ritz, count);
  for (let v = 0; v < count; v++) {
    const vector = components.subarray(v * basis.dimension, (v + 1) * basis.dimension);
    let largest = 0;
    for (const entry of vector) if (Math.abs(entry) > Math.abs(largest)) largest = entry;
    if (largest < 0) for (let i = 0; i < vector.length; i++) vector[i]! *= -1;
  }
  // A covariance has no negative variance; rounding has.
  const variances = ritz.values.slice(0, count).map(value => Math.max(0, value));
  return { components, variances, residual, converged };
}

function addRandomRows({ basis, blockRows }: Search, random: Random): number {
  const rows = Float64Array.from({ length: blockRows * basis.dimension }, () => random.normal());
  projectOut(basis, rows);
  return extendBasis(basis, rows, 1e-6);
}
