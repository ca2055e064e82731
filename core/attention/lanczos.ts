/** The dominant eigenvector of a symmetric matrix, next to one that is already known. */
import { Random } from '../random.ts';
import { largestEigenpair } from './tridiagonal.ts';

const mostSteps = 240;
const stepsBetweenChecks = 4;

/**
 * Lanczos with full reorthogonalisation (Golub & Van Loan, Matrix Computations, 10.1 and 10.3), kept orthogonal to `known`.
 * Starts from fixed random numbers, so the same matrix gives the same bytes. Stops once the residual is below `tolerance`
 * times the eigenvalue's size.
 * @param matrix symmetric [n, n], row-major
 * @param known a unit eigenvector of the matrix, [n]: the answer is orthogonal to it
 * @returns the unit eigenvector of the largest remaining eigenvalue (its sign is arbitrary), the value, and the steps taken
 */
export function dominantEigenvector(
  matrix: Float32Array,
  known: Float64Array,
  tolerance = 1e-9,
): { vector: Float64Array; value: number; steps: number } {
  const n = known.length;
  const basis: Float64Array[] = [known];
  const diagonal: number[] = [];
  const beside: number[] = [];
  let next = startVector(n);
  let length = orthogonalise(next, basis);
  for (;;) {
    scale(next, 1 / length);
    basis.push(next);
    const product = multiply(matrix, next);
    diagonal.push(dot(product, next));
    const scaleBefore = length;
    length = orthogonalise(product, basis);
    const steps = diagonal.length;
    const exhausted = steps >= n - 1 || steps >= mostSteps || length <= 1e-12 * Math.max(1, scaleBefore);
    if (exhausted || steps % stepsBetweenChecks === 0) {
      const { value, vector } = largestEigenpair(diagonal, beside, steps);
      const residual = length * Math.abs(vector[steps - 1]!);
      if (exhausted || residual <= tolerance * Math.abs(value)) return { vector: combine(basis, vector), value, steps };
    }
    beside.push(length);
    next = product;
  }
}

function startVector(n: number): Float64Array {
  const random = new Random(n);
  return Float64Array.from({ length: n }, () => random.normal());
}

/** Takes the parts along `basis` out of `vector`, twice (Kahan: twice is enough), and returns the length that is left. */
function orthogonalise(vector: Float64Array, basis: readonly Float64Array[]): number {
  for (let pass = 0; pass < 2; pass++) {
    for (const direction of basis) {
      const along = dot(vector, direction);
      for (let i = 0; i < vector.length; i++) vector[i]! -= along * direction[i]!;
    }
  }
  return Math.sqrt(dot(vector, vector));
}

/** The sum of basis vectors (the known one left out) with these weights, made unit length. */
function combine(basis: readonly Float64Array[], weights: Float64Array): Float64Array {
  const sum = new Float64Array(basis[0]!.length);
  for (let k = 0; k < weights.length; k++) {
    const vector = basis[k + 1]!;
    const weight = weights[k]!;
    for (let i = 0; i < sum.length; i++) sum[i]! += weight * vector[i]!;
  }
  scale(sum, 1 / Math.sqrt(dot(sum, sum)));
  return sum;
}

function scale(vector: Float64Array, factor: number): void {
  for (let i = 0; i < vector.length; i++) vector[i]! *= factor;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** matrix · vector, four rows at a time, so that each entry of the vector is loaded once for four. */
function multiply(matrix: Float32Array, vector: Float64Array): Float64Array {
  const n = vector.length;
  const product = new Float64Array(n);
  const whole = n - (n % 4);
  for (let i = 0; i < whole; i += 4) {
    const a = i * n;
    const b = a + n;
    const c = b + n;
    const d = c + n;
    let sumA = 0;
    let sumB = 0;
    let sumC = 0;
    let sumD = 0;
    for (let j = 0; j < n; j++) {
      const entry = vector[j]!;
      sumA += matrix[a + j]! * entry;
      sumB += matrix[b + j]! * entry;
      sumC += matrix[c + j]! * entry;
      sumD += matrix[d + j]! * entry;
    }
    product[i] = sumA;
    product[i + 1] = sumB;
    product[i + 2] = sumC;
    product[i + 3] = sumD;
  }
  for (let i = whole; i < n; i++) {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += matrix[i * n + j]! * vector[j]!;
    product[i] = sum;
  }
  return product;
}
