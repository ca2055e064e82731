/** Segments: the connected regions of a map of class ids, with box, area, confidence and outlines, as the API answers them. */
import { type Components, connectedComponents } from '../formats/components.ts';
import { type Region, traceRegions } from '../formats/polygons.ts';
import { classRuns, compressCounts } from '../formats/rle.ts';
import type { LabelMap } from '../labels/label-map.ts';
import { mostSegments } from './limits.ts';

export interface Segment {
  readonly classId: number;
  readonly confidence: number;
  /** Pixels. */
  readonly area: number;
  /** left, top, width, height */
  readonly box: readonly [number, number, number, number];
  readonly rle?: { readonly size: readonly [number, number]; readonly counts: string };
  readonly polygon?: { readonly outer: readonly number[]; readonly holes: readonly (readonly number[])[] };
}

/** A class that occurs in the map. */
export interface ClassFigures {
  readonly id: number;
  readonly pixels: number;
  /** Mean over its segments, by their pixels. */
  readonly confidence: number;
  readonly segments: number;
}

export interface SegmentedMap {
  /** By id. */
  readonly classes: readonly ClassFigures[];
  /** Largest first, at most `mostSegments`. */
  readonly segments: readonly Segment[];
  /** How many there are in all. */
  readonly total: number;
}

export interface SegmentOutputs {
  readonly rle: boolean;
  readonly polygons: boolean;
}

/**
 * @param map class ids; 0 is background
 * @param confidenceOf per region, 0…1; called once
 */
export function segmentsOf(
  map: LabelMap,
  confidenceOf: (components: Components) => ArrayLike<number>,
  outputs: SegmentOutputs,
): SegmentedMap {
  const components = connectedComponents(map);
  const confidence = confidenceOf(components);
  const largest = largestFirst(components).slice(0, mostSegments);
  const kept = keptRegions(map, components, largest);
  const outlines = outputs.polygons ? byId(traceRegions(kept)) : undefined;
  const segments = classRuns(kept).map((runs): Segment => {
    const region = largest[runs.id - 1]!;
    return {
      classId: components.ids[region]!,
      confidence: rounded(confidence[region]!),
      area: runs.area,
      box: [runs.box.left, runs.box.top, runs.box.width, runs.box.height],
      ...(outputs.rle && { rle: { size: [map.height, map.width], counts: compressCounts(runs.counts) } }),
      ...(outlines && { polygon: polygonOf(outlines.get(runs.id)!) }),
    };
  });
  return { classes: figuresOf(components, confidence), segments, total: components.count };
}

/** Four digits: more say nothing, and every answer carries thousands of them. */
export const rounded = (value: number): number => Math.round(value * 1e4) / 1e4;

/** Regions by their pixels; of equal ones the first in reading order. */
function largestFirst({ count, pixels }: Components): number[] {
  return Array.from({ length: count }, (_, i) => i).sort((a, b) => pixels[b]! - pixels[a]! || a - b);
}

/** A map whose ids are the ranks (from 1) of the regions kept. */
function keptRegions({ width, height }: LabelMap, components: Components, largest: readonly number[]): LabelMap {
  const rank = new Uint16Array(components.count);
  for (const [i, region] of largest.entries()) rank[region] = i + 1;
  const data = new Uint16Array(width * height);
  const { count, start, end } = components.stretches;
  for (let i = 0; i < count; i++) data.fill(rank[components.component[start[i]!]!]!, start[i], end[i]);
  return { width, height, data };
}

const byId = (regions: readonly Region[]): Map<number, Region> => new Map(regions.map(region => [region.id, region]));

const polygonOf = ({ outer, holes }: Region) => ({ outer: [...outer], holes: holes.map(hole => [...hole]) });

function figuresOf({ count, ids, pixels }: Components, confidence: ArrayLike<number>): ClassFigures[] {
  const figures = new Map<number, { pixels: number; weighted: number; segments: number }>();
  for (let i = 0; i < count; i++) {
    const sum = figures.get(ids[i]!) ?? { pixels: 0, weighted: 0, segments: 0 };
    figures.set(ids[i]!, sum);
    sum.pixels += pixels[i]!;
    sum.weighted += pixels[i]! * confidence[i]!;
    sum.segments++;
  }
  return [...figures]
    .sort(([a], [b]) => a - b)
    .map(([id, sum]) => ({
      id,
      pixels: sum.pixels,
      confidence: rounded(sum.weighted / sum.pixels),
      segments: sum.segments,
    }));
}
