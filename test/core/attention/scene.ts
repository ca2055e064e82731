/** Generated features on a grid: regions with a feature of their own, plus noise, all of unit length. */
import { Random } from '#core/random';

export interface FeatureGrid {
  readonly height: number;
  readonly width: number;
  readonly dimension: number;
  /** [height · width, dimension], row-major, unit rows. */
  readonly features: Float32Array;
}

/** A disc in the middle before a background of two halves. */
export function discScene(height: number, width: number, dimension: number, seed: number, noise = 0.4): FeatureGrid {
  const random = new Random(seed);
  const regions = Array.from({ length: 3 }, () => Float64Array.from({ length: dimension }, () => random.normal()));
  const features = new Float32Array(height * width * dimension);
  for (let i = 0; i < height * width; i++) {
    const y = Math.floor(i / width);
    const x = i % width;
    const inDisc = Math.hypot(y - (height - 1) / 2, x - (width - 1) / 2) < Math.min(height, width) / 3;
    const region = regions[inDisc ? 0 : x < width / 2 ? 1 : 2]!;
    for (let k = 0; k < dimension; k++) features[i * dimension + k] = region[k]! + 1 + noise * random.normal();
  }
  normaliseRows(features, dimension);
  return { height, width, dimension, features };
}

export function normaliseRows(rows: Float32Array | Float64Array, dimension: number): void {
  for (let at = 0; at < rows.length; at += dimension) {
    let square = 0;
    for (let k = 0; k < dimension; k++) square += rows[at + k]! ** 2;
    for (let k = 0; k < dimension && square > 0; k++) rows[at + k]! /= Math.sqrt(square);
  }
}

/** All cosines, [n, n]. */
export function gramOf(features: Float32Array, dimension: number): Float32Array {
  const n = features.length / dimension;
  const gram = new Float32Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < dimension; k++) sum += features[i * dimension + k]! * features[j * dimension + k]!;
      gram[i * n + j] = sum;
    }
  }
  return gram;
}
