/** The Fiedler vector of an image: the smoothest way to cut its positions in two, as an untrained foreground score. */
import { dominantEigenvector } from './lanczos.ts';
import { ringMeans, ringPositions } from './ring.ts';
import { zScore } from './z-score.ts';

const weakest = 1e-5;
/** With every affinity equal the matrix has rank one: a second eigenvalue below this is rounding, its vector arbitrary. */
const alike = 1e-4;
/** Of the eigenvalue. A seed needs no more digits, and each costs further steps. */
const tolerance = 1e-7;

/**
 * Second eigenvector of the normalised Laplacian I − D^(−1/2) W D^(−1/2), W = max(cosine of the features less the image's mean,
 * 1e-5), carried back by D^(−1/2) (Shi & Malik, Normalized Cuts and Image Segmentation, 2000; as a foreground score in TokenCut,
 * Wang et al. 2022). Signed so that the ring lies lower than the inside, z-scored.
 * @param gram cosines [n, n] of the image's unit features, n = height · width, row-major
 * @returns [n], mean 0, standard deviation 1; all zeros where every position looks alike
 */
export function fiedlerScore(gram: Float32Array, height: number, width: number): Float64Array {
  const count = height * width;
  if (count < 2) return new Float64Array(count);
  const affinities = centredCosines(gram, count);
  const rootDegrees = normalise(affinities, count);
  let squares = 0;
  for (const root of rootDegrees) squares += root * root;
  const first = rootDegrees.map(root => root / Math.sqrt(squares));
  const { vector, value } = dominantEigenvector(affinities, first, tolerance);
  if (value < alike) return new Float64Array(count);
  for (let i = 0; i < count; i++) vector[i]! /= rootDegrees[i]!;
  return turned(zScore(vector), ringPositions(height, width));
}

/**
 * max(y_i · y_j, weakest) for y = l2(x − mean x), from the cosines of x alone: with row means r and grand mean m,
 * (x_i − x̄)·(x_j − x̄) = G_ij − r_i − r_j + m (double centring). A position that equals the mean is unlike all others.
 */
function centredCosines(gram: Float32Array, count: number): Float32Array {
  const rowMeans = new Float64Array(count);
  let grandMean = 0;
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let j = 0; j < count; j++) sum += gram[i * count + j]!;
    rowMeans[i] = sum / count;
    grandMean += sum / count / count;
  }
  const inverseLengths = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const square = gram[i * count + i]! - 2 * rowMeans[i]! + grandMean;
    // Below this, what is left is the rounding of float32 cosines.
    inverseLengths[i] = square > 1e-6 ? 1 / Math.sqrt(square) : 0;
  }
  const affinities = new Float32Array(count * count);
  for (let i = 0; i < count; i++) {
    const shift = grandMean - rowMeans[i]!;
    const scale = inverseLengths[i]!;
    for (let j = 0; j < count; j++) {
      const cosine = (gram[i * count + j]! + shift - rowMeans[j]!) * scale * inverseLengths[j]!;
      affinities[i * count + j] = Math.max(cosine, weakest);
    }
  }
  return affinities;
}

/** Turns W into D^(−1/2) W D^(−1/2) in place and returns the square roots of the degrees. */
function normalise(affinities: Float32Array, count: number): Float64Array {
  const rootDegrees = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    let degree = 0;
    for (let j = 0; j < count; j++) degree += affinities[i * count + j]!;
    rootDegrees[i] = Math.sqrt(degree);
  }
  const inverse = rootDegrees.map(root => 1 / root);
  for (let i = 0; i < count; i++) {
    const scale = inverse[i]!;
    for (let j = 0; j < count; j++) affinities[i * count + j]! *= scale * inverse[j]!;
  }
  return rootDegrees;
}

/** Turned so that the ring is lower than the inside; where there is no inside, so that the largest entry is positive. */
function turned(scores: Float64Array, ring: Int32Array): Float64Array {
  if (ring.length < scores.length) {
    const means = ringMeans(scores, ring);
    return means.ring > means.inside ? scores.map(score => -score) : scores;
  }
  let largest = 0;
  for (const score of scores) if (Math.abs(score) > Math.abs(largest)) largest = score;
  return largest < 0 ? scores.map(score => -score) : scores;
}
