/** PNGs of ids in the forms in which people keep masks. */
import type { LabelMap } from '#core/labels/label-map';
import { plainPng } from '../contracts/plain-png.ts';

export const grey8 = ({ width, height, data }: LabelMap): Uint8Array => plainPng({ width, height, channels: 1, data });

export const grey16 = ({ width, height, data }: LabelMap): Uint8Array =>
  plainPng({ width, height, channels: 1, data, bits: 16 });

/** R + 256·G. */
export const rgb = ({ width, height, data }: LabelMap): Uint8Array =>
  plainPng({ width, height, channels: 3, data: Array.from(data).flatMap(id => [id % 256, Math.floor(id / 256), 0]) });

/** One row. */
export const row = (...ids: number[]): LabelMap => ({ width: ids.length, height: 1, data: Uint16Array.from(ids) });
