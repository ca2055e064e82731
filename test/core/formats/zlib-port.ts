/** zlib as the codec port offers it, for tests that pack and unpack. */
import { deflateSync, inflateSync } from 'node:zlib';
import type { Deflate, Inflate } from '#core/formats/png-index';

export const deflate: Deflate = async bytes => deflateSync(bytes);
export const inflate: Inflate = async (bytes, limit) => inflateSync(bytes, { maxOutputLength: limit });
