/** A painted picture, and the answers about it read again. */
import { inflateSync } from 'node:zlib';
import type { SegmentedMap } from '#core/api/segments';
import { decodeIndexPng } from '#core/formats/png-index';
import { png } from './api-world.ts';
import { painting } from './small-model.ts';

export const picture = painting(['..........', '.rrrr..gg.', '.r..r..gg.', '.rrrr.....', '.......bb.', '..........']);
export const file = png(picture);

export interface Document extends SegmentedMap {
  readonly id: string;
  readonly image: { width: number; height: number; name: string; original: { width: number; height: number } };
  readonly background: { pixels: number; share: number };
  readonly classes: readonly {
    id: number;
    name: string;
    pixels: number;
    share: number;
    confidence: number;
    segments: number;
  }[];
  readonly mask?: string;
  readonly confidence: number;
  readonly warnings: readonly string[];
}

export const idsOf = async (bytes: Uint8Array) => {
  const { ids, width, height, kind } = await decodeIndexPng(bytes, async packed => inflateSync(packed));
  return { ids, width, height, kind };
};

export const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer());
