/** Which ids a label map holds. */
import type { LabelMap } from './label-map.ts';

/** Ids that occur, ascending, without 0. */
export function presentIds({ data }: LabelMap): number[] {
  const seen = new Uint8Array(65536);
  for (let i = 0; i < data.length; i++) seen[data[i]!] = 1;
  const present: number[] = [];
  for (let id = 1; id < seen.length; id++) if (seen[id] === 1) present.push(id);
  return present;
}
