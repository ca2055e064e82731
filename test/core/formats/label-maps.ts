/** Label maps for tests: random ones full of holes, touching regions, thin diagonals and single pixels, and drawn ones. */
import fc from 'fast-check';
import type { LabelMap } from '#core/labels/label-map';

export interface MapShape {
  /** Longest side. */
  side: number;
  /** Ids to draw from, besides 0. */
  ids: readonly number[];
}

/** Noise of few ids: nearly every small pattern there is turns up. */
const noise = ({ side, ids }: MapShape): fc.Arbitrary<LabelMap> =>
  fc
    .record({ width: fc.integer({ min: 1, max: side }), height: fc.integer({ min: 1, max: side }) })
    .chain(size =>
      fc
        .array(fc.constantFrom(0, ...ids), { minLength: size.width * size.height, maxLength: size.width * size.height })
        .map(data => ({ ...size, data: Uint16Array.from(data) })),
    );

/** Rectangles, one over the other: large regions, holes, regions within holes. */
const rectangles = ({ side, ids }: MapShape): fc.Arbitrary<LabelMap> => {
  const at = fc.integer({ min: 0, max: side - 1 });
  const rectangle = fc.record({ x: at, y: at, w: at, h: at, id: fc.constantFrom(0, ...ids) });
  return fc.array(rectangle, { maxLength: 12 }).map(list => {
    const data = new Uint16Array(side * side);
    for (const { x, y, w, h, id } of list) {
      for (let v = y; v <= Math.min(y + h, side - 1); v++)
        data.fill(id, v * side + x, v * side + Math.min(x + w, side - 1) + 1);
    }
    return { width: side, height: side, data };
  });
};

export const labelMaps = (shape: MapShape): fc.Arbitrary<LabelMap> => fc.oneof(noise(shape), rectangles(shape));

/** A label map from rows of characters: `.` is 0, digits and letters are ids (a is 10). */
export function drawnMap(...rows: string[]): LabelMap {
  const ids = rows.flatMap(row => [...row].map(character => (character === '.' ? 0 : Number.parseInt(character, 36))));
  return { width: rows[0]!.length, height: rows.length, data: Uint16Array.from(ids) };
}

/** The shapes that other tools got wrong: each export is tried on all of them. */
export const awkwardMaps: Record<string, LabelMap> = {
  'a region with holes': drawnMap('1111111', '1..11.1', '1.1111.', '1111.11', '1111111'),
  'a region within a hole within a region': drawnMap('11111', '1...1', '1.1.1', '1...1', '11111'),
  'regions that touch': drawnMap('1122', '1122', '3344', '3344'),
  'runs of one pixel': drawnMap('1.1.1.1', '.2.2.2.', '3.3.3.3'),
  'thin diagonals': drawnMap('1....2', '.1..2.', '..12..', '..21..', '.2..1.', '2....1'),
  'one pixel': drawnMap('1'),
  'nothing at all': drawnMap('....', '....'),
  'one id everywhere': drawnMap('555', '555'),
  'a hole at a corner': drawnMap('1111', '1.11', '11.1', '1111'),
  'a row and a column': drawnMap('.1..', '.1..', '2222', '.1..'),
};

/** Mask of one id: [height, width], 1 inside. */
export const maskOf = ({ data }: LabelMap, id: number): Uint8Array =>
  Uint8Array.from(data, value => Number(value === id));

/** Ids that occur, without 0, ascending. */
export const idsIn = ({ data }: LabelMap): number[] => [...new Set(data)].filter(id => id !== 0).sort((a, b) => a - b);
