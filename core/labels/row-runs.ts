/** A label map cut into runs: stretches of one id within a row. */
import type { LabelMap } from './label-map.ts';

/**
 * Where each run ends (exclusive), as an index into the map's pixels, ascending; every row's last pixel ends a run.
 * @param out where to write; at least as long as the map
 */
export function rowRuns({ width, data }: LabelMap, out = new Int32Array(data.length)): Int32Array {
  let runs = 0;
  for (let row = 0; row < data.length; row += width) {
    const rowEnd = row + width;
    for (let i = row; i < rowEnd; ) {
      const id = data[i++]!;
      while (i < rowEnd && data[i] === id) i++;
      out[runs++] = i;
    }
  }
  return out.subarray(0, runs);
}
