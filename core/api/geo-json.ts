/** Segments as GeoJSON (RFC 7946) in pixel coordinates: x to the right, y down, whole numbers at pixel corners. */
import type { LabelClass } from '../labels/class-map.ts';
import type { Segment } from './segments.ts';

/** Points of a flat polygon as a ring, which GeoJSON closes. */
function ring(flat: readonly number[]): (readonly [number, number])[] {
  const points: [number, number][] = [];
  for (let i = 0; i < flat.length; i += 2) points.push([flat[i]!, flat[i + 1]!]);
  points.push([flat[0]!, flat[1]!]);
  return points;
}

/** @param segments with polygons */
export function toGeoJson(segments: readonly Segment[], classes: readonly LabelClass[]): object {
  const byId = new Map(classes.map(item => [item.id, item]));
  const features = segments.map(({ classId, confidence, area, polygon }) => {
    const { name, color } = byId.get(classId)!;
    return {
      type: 'Feature',
      properties: { classId, name, color, confidence, area },
      geometry: { type: 'Polygon', coordinates: [polygon!.outer, ...polygon!.holes].map(ring) },
    };
  });
  return { type: 'FeatureCollection', features };
}
