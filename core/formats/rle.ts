/**
 * Run-length encoding of masks, as COCO and CVAT write them.
 *
 * A mask is written as lengths of runs that alternate between outside and inside and start with outside, so the first
 * length may be 0. COCO reads the whole picture column by column; CVAT reads the box around the mask row by row.
 *
 * Example, the mask `.X.` over `XX.`, three wide and two high:
 *   COCO  columns `.X`, `XX`, `..`, read as `.XXX..`: counts [1, 3, 2], compressed `132`
 *   CVAT  box at left 0, top 0, width 2, height 2, rows `.X`, `XX`, read as `.XXX`: runs [1, 3]
 *
 * COCO's compressed form writes each number in groups of 5 bits, lowest first, as characters from `0` (48) on; 32 says
 * that more follows, 16 in the last group is the sign. From the fourth number on, the difference to the number two
 * before is written, since neighbouring columns look alike. Source: cocoapi, common/maskApi.c, rleToString.
 */
import type { LabelMap } from '../labels/label-map.ts';
import type { Box } from './components.ts';

/** One id in one picture. */
export interface ClassRuns {
  readonly id: number;
  /** Pixels. */
  readonly area: number;
  readonly box: Box;
  /** COCO counts over the whole picture, column by column. */
  readonly counts: readonly number[];
}

interface OpenRuns {
  counts: number[];
  /** Where the last run ended, in pixels from the start. */
  end: number;
  area: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

const noRuns = (): OpenRuns => ({ counts: [], end: 0, area: 0, left: Infinity, right: -1, top: Infinity, bottom: -1 });

/** Adds the pixels from `from` to before `to`, which lie in one column. */
function addRun(runs: OpenRuns, from: number, to: number, height: number): void {
  const x = Math.floor(from / height);
  const y = from % height;
  if (runs.end === from && runs.counts.length > 0) runs.counts[runs.counts.length - 1]! += to - from;
  else runs.counts.push(from - runs.end, to - from);
  runs.end = to;
  runs.area += to - from;
  runs.left = Math.min(runs.left, x);
  runs.right = x;
  runs.top = Math.min(runs.top, y);
  runs.bottom = Math.max(runs.bottom, y + to - from - 1);
}

/** Adds the runs of one column. */
function addColumn({ width, height, data }: LabelMap, x: number, open: Map<number, OpenRuns>): void {
  for (let y = 0; y < height; ) {
    const from = y;
    y = endOfRun(data, width, height, x, y);
    const id = data[from * width + x]!;
    if (id === 0) continue;
    const runs = open.get(id) ?? noRuns();
    open.set(id, runs);
    addRun(runs, x * height + from, x * height + y, height);
  }
}

/** The row below the last one of the run in column `x` that begins in row `from`. */
function endOfRun(data: Uint16Array, width: number, height: number, x: number, from: number): number {
  const id = data[from * width + x]!;
  let y = from + 1;
  while (y < height && data[y * width + x] === id) y++;
  return y;
}

/** Runs of every id but 0, in order of ids. One pass over the map, however many ids there are. */
export function classRuns(map: LabelMap): ClassRuns[] {
  const { width, height } = map;
  const open = new Map<number, OpenRuns>();
  for (let x = 0; x < width; x++) addColumn(map, x, open);
  return [...open.entries()]
    .sort(([a], [b]) => a - b)
    .map(([id, { counts, end, area, left, right, top, bottom }]) => ({
      id,
      area,
      box: { left, top, width: right - left + 1, height: bottom - top + 1 },
      counts: end < width * height ? [...counts, width * height - end] : counts,
    }));
}

/** The mask of COCO counts. @returns [height, width], row-major, 1 inside @throws RangeError if they do not add up to the picture */
export function maskOfCounts(counts: readonly number[], width: number, height: number): Uint8Array {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total !== width * height) throw new RangeError(`runs cover ${total} pixels of a ${width}×${height} picture`);
  const mask = new Uint8Array(width * height);
  let at = 0;
  for (let i = 0; i < counts.length; i++) {
    const end = at + counts[i]!;
    if (i % 2 === 1) for (let p = at; p < end; p++) mask[(p % height) * width + Math.floor(p / height)] = 1;
    at = end;
  }
  return mask;
}

/** COCO counts as its compressed string. */
export function compressCounts(counts: readonly number[]): string {
  const characters: number[] = [];
  for (let i = 0; i < counts.length; i++) {
    let rest = i > 2 ? counts[i]! - counts[i - 2]! : counts[i]!;
    for (let more = true; more; ) {
      let group = rest & 31;
      rest >>= 5;
      more = (group & 16) !== 0 ? rest !== -1 : rest !== 0;
      if (more) group |= 32;
      characters.push(group + 48);
    }
  }
  let text = '';
  for (let i = 0; i < characters.length; i += 8192) text += String.fromCharCode(...characters.slice(i, i + 8192));
  return text;
}

/** Counts of a compressed string. @throws RangeError if it ends within a number */
export function decompressCounts(text: string): number[] {
  const counts: number[] = [];
  for (let at = 0; at < text.length; ) {
    let value = 0;
    let shift = 0;
    for (let more = true; more; shift += 5) {
      if (at === text.length) throw new RangeError('the compressed runs end within a number');
      const group = text.charCodeAt(at++) - 48;
      value |= (group & 31) << shift;
      more = (group & 32) !== 0;
      if (!more && (group & 16) !== 0) value |= -1 << (shift + 5);
    }
    counts.push(counts.length > 2 ? value + counts[counts.length - 2]! : value);
  }
  return counts;
}

/** Runs of every id but 0 over the whole picture, row by row, starting with a run outside the mask; in order of ids. */
export function pictureRuns({ data }: LabelMap): Map<number, number[]> {
  const runs = new Map<number, { lengths: number[]; end: number }>();
  for (let i = 0; i < data.length; ) {
    const [id, from] = [data[i]!, i];
    while (i < data.length && data[i] === id) i++;
    if (id === 0) continue;
    const open = runs.get(id) ?? { lengths: [], end: 0 };
    runs.set(id, open);
    open.lengths.push(from - open.end, i - from);
    open.end = i;
  }
  const closed = [...runs].map(([id, { lengths, end }]): [number, number[]] => {
    return [id, end < data.length ? [...lengths, data.length - end] : lengths];
  });
  return new Map(closed.sort(([a], [b]) => a - b));
}

/** Runs of one id within a box, row by row, starting with a run outside the mask (CVAT). */
export function rowRuns({ width, data }: LabelMap, id: number, box: Box): number[] {
  const runs = [0];
  let inside = false;
  for (let y = box.top; y < box.top + box.height; y++) {
    for (let x = box.left; x < box.left + box.width; x++) {
      if ((data[y * width + x] === id) !== inside) {
        inside = !inside;
        runs.push(0);
      }
      runs[runs.length - 1]!++;
    }
  }
  return runs;
}
