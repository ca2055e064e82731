/** Cuts one image's positions into a few segments: a tiny k-means over features and place. */
import { Random } from '../random.ts';
import { plusPlusRows } from './seeding.ts';

export interface SegmentOptions {
  /** Segments wanted; fewer come where there are fewer different positions. */
  readonly segments: number;
  /** Weight of the place beside features of unit length. @default 0.5 */
  readonly positionWeight?: number;
  /** Most iterations. @default 10 */
  readonly iterations?: number;
  readonly seed?: number;
}

export interface Segments {
  /** Segment of each position, 0 … count − 1, [positions]. */
  readonly assignment: Uint8Array;
  /** How many segments there are; none is empty. */
  readonly count: number;
}

/** Centroids are handled in groups of so many, so that each feature is loaded once for all of them. */
const lanes = 4;
/** The segments stand once no more than this share of the positions moves. */
const settled = 0.01;

/**
 * k-means over [feature, positionWeight · (x, y)], x and y running 0 … 1 along the image's longer side. Seeds by k-means++
 * from a fixed seed: same input, same segments.
 * @param features [positions, dimension], row-major, unit rows
 * @param places [positions, 2]: x and y
 */
export function segmentsWithin(
  features: Float32Array,
  dimension: number,
  places: Float32Array,
  { segments, positionWeight = 0.5, iterations = 10, seed = 0 }: SegmentOptions,
): Segments {
  const count = places.length / 2;
  if (features.length !== count * dimension) {
    throw new RangeError(`${features.length} features for ${count} places of ${dimension} dimensions`);
  }
  const points = joined(features, dimension, places, positionWeight);
  const size = dimension + 2;
  const wanted = Math.min(segments, count);
  const seeds = plusPlusRows({ data: points, count, dimension: size }, wanted, 'euclidean', new Random(seed));
  let centroids = grouped(wanted, size, (k, i) => points[seeds[k]! * size + i]!);
  const sums = emptySums(centroids, size);
  let assignment: Uint8Array = new Uint8Array(0);
  for (let iteration = 0; iteration < iterations; iteration++) {
    const next = nearest(points, size, centroids);
    const moved = moveSums(sums, points, assignment, next);
    assignment = next;
    if (moved <= settled * count) break;
    centroids = means(sums, centroids);
  }
  return withoutGaps(assignment);
}

/** Centroids, [groups, size, lanes]: entry i of four centroids beside each other. */
interface Grouped {
  readonly data: Float64Array;
  /** Half of each squared length, [groups · lanes]; infinite where there is no centroid. */
  readonly halves: Float64Array;
}

function joined(features: Float32Array, dimension: number, places: Float32Array, weight: number): Float64Array {
  const count = places.length / 2;
  const points = new Float64Array(count * (dimension + 2));
  for (let p = 0; p < count; p++) {
    const at = p * (dimension + 2);
    for (let i = 0; i < dimension; i++) points[at + i] = features[p * dimension + i]!;
    points[at + dimension] = weight * places[2 * p]!;
    points[at + dimension + 1] = weight * places[2 * p + 1]!;
  }
  return points;
}

function grouped(count: number, size: number, entry: (k: number, i: number) => number): Grouped {
  const groups = Math.ceil(count / lanes);
  const data = new Float64Array(groups * size * lanes);
  const halves = new Float64Array(groups * lanes).fill(Number.POSITIVE_INFINITY);
  for (let k = 0; k < count; k++) {
    const at = Math.floor(k / lanes) * size * lanes + (k % lanes);
    let square = 0;
    for (let i = 0; i < size; i++) {
      data[at + i * lanes] = entry(k, i);
      square += entry(k, i) ** 2;
    }
    halves[k] = square / 2;
  }
  return { data, halves };
}

/** The largest x·c − |c|²/2 per point, the first of equals. */
function nearest(points: Float64Array, size: number, { data, halves }: Grouped): Uint8Array {
  const count = points.length / size;
  const assignment = new Uint8Array(count);
  const best = new Float64Array(count).fill(Number.NEGATIVE_INFINITY);
  const scores = new Float64Array(2 * lanes);
  for (let group = 0; group * lanes < halves.length; group++) {
    const group4 = data.subarray(group * size * lanes, (group + 1) * size * lanes);
    for (let p = 0; p < count; p += 2) {
      // An odd last point is scored beside itself.
      multiply(points, p * size, Math.min(p + 1, count - 1) * size, group4, scores);
      for (let s = 0; s < 2 * lanes && p + (s >> 2) < count; s++) {
        const score = scores[s]! - halves[group * lanes + (s % lanes)]!;
        if (score <= best[p + (s >> 2)]!) continue;
        best[p + (s >> 2)] = score;
        assignment[p + (s >> 2)] = group * lanes + (s % lanes);
      }
    }
  }
  return assignment;
}

/** Products of two points with four centroids, so that eight sums run beside each other. */
function multiply(points: Float64Array, first: number, second: number, centroids: Float64Array, scores: Float64Array) {
  let [a, b, c, d, e, f, g, h] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let at = 0, i = first, j = second; at < centroids.length; at += lanes, i++, j++) {
    const x = points[i]!;
    const y = points[j]!;
    a += x * centroids[at]!;
    b += x * centroids[at + 1]!;
    c += x * centroids[at + 2]!;
    d += x * centroids[at + 3]!;
    e += y * centroids[at]!;
    f += y * centroids[at + 1]!;
    g += y * centroids[at + 2]!;
    h += y * centroids[at + 3]!;
  }
  scores[0] = a;
  scores[1] = b;
  scores[2] = c;
  scores[3] = d;
  scores[4] = e;
  scores[5] = f;
  scores[6] = g;
  scores[7] = h;
}

interface SegmentSums {
  /** [segments, size]. */
  readonly sums: Float64Array;
  /** [segments]. */
  readonly counts: Int32Array;
  readonly size: number;
}

function emptySums({ halves }: Grouped, size: number): SegmentSums {
  const segments = halves.filter(Number.isFinite).length;
  return { sums: new Float64Array(segments * size), counts: new Int32Array(segments), size };
}

/** Moves the points that changed their segment from one sum to the other; at first (`before` is empty) all are new. */
function moveSums(sums: SegmentSums, points: Float64Array, before: Uint8Array, after: Uint8Array): number {
  let moved = 0;
  for (let p = 0; p < after.length; p++) {
    if (before[p] === after[p]) continue;
    if (before.length > 0) addPoint(sums, points, p, before[p]!, -1);
    addPoint(sums, points, p, after[p]!, 1);
    moved++;
  }
  return moved;
}

function addPoint({ sums, counts, size }: SegmentSums, points: Float64Array, p: number, segment: number, sign: number) {
  for (let i = 0, from = p * size, to = segment * size; i < size; i++) sums[to + i]! += sign * points[from + i]!;
  counts[segment]! += sign;
}

/** An empty segment keeps its centroid. */
function means({ sums, counts, size }: SegmentSums, before: Grouped): Grouped {
  const old = (k: number, i: number) => before.data[(Math.floor(k / lanes) * size + i) * lanes + (k % lanes)]!;
  return grouped(counts.length, size, (k, i) => (counts[k]! > 0 ? sums[k * size + i]! / counts[k]! : old(k, i)));
}

/** Numbers the segments that have positions 0, 1, … in their old order. */
function withoutGaps(assignment: Uint8Array): Segments {
  const present = [...new Set(assignment)].sort((a, b) => a - b);
  return { assignment: assignment.map(segment => present.indexOf(segment)), count: present.length };
}
