/** Where in the image each class lies: pixels by distance from the centre, across and down. */
import type { LabelMap } from '#core/labels/label-map';
import { CountTable } from './count-table.ts';

/** Bins of the distance from the centre line, as a share of half the width (or height). */
export const placeBins = 32;

/** Middle of a bin, 0 at the centre and 1 at the edge. */
export const placeOf = (bin: number): number => (bin + 0.5) / placeBins;

/** Per class [placeBins down, placeBins across]. */
export const placeTable = (): CountTable => new CountTable(placeBins * placeBins);

const binOf = (pixel: number, size: number): number =>
  Math.min(placeBins - 1, Math.floor((Math.abs(2 * pixel + 1 - size) / size) * placeBins));

/**
 * Adds an image's pixels to its classes' histograms. Only starts and ends of runs are noted per pixel row; the counts follow
 * from their running sums.
 * @param runs of the ground truth
 * @param classes the ids to count; others are skipped
 */
export function addPlaces(table: CountTable, truth: LabelMap, runs: Int32Array, classes: readonly number[]): void {
  const { width, height, data } = truth;
  const slots = new Map(classes.map((id, slot) => [id, slot]));
  const across = Uint8Array.from({ length: width }, (_, x) => binOf(x, width));
  const lines = new Int32Array(classes.length * placeBins * (width + 1));
  for (let y = 0, run = 0; y < height; y++) {
    const row = y * width;
    const down = binOf(y, height);
    for (let start = 0; start < width; run++) {
      const end = runs[run]! - row;
      const slot = slots.get(data[row + start]!);
      if (slot !== undefined) {
        const line = (slot * placeBins + down) * (width + 1);
        lines[line + start]!++;
        lines[line + end]!--;
      }
      start = end;
    }
  }
  for (const [id, slot] of slots) {
    const offset = table.row(id);
    addLines(table.counts, offset, lines, slot * placeBins * (width + 1), across);
  }
}

function addLines(counts: Float64Array, offset: number, lines: Int32Array, at: number, across: Uint8Array): void {
  const width = across.length;
  for (let down = 0; down < placeBins; down++) {
    const line = at + down * (width + 1);
    let rows = 0;
    for (let x = 0; x < width; x++) {
      rows += lines[line + x]!;
      counts[offset + down * placeBins + across[x]!]! += rows;
    }
  }
}
