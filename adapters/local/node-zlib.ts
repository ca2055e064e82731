/** Unpacking by Node's zlib alone, for doors that handle label maps but no photos. */
import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import type { ImageCodec } from '#pipeline/ports';

const inflateAsync = promisify(inflate);

export const nodeZlib: Pick<ImageCodec, 'inflate'> = {
  inflate: async (bytes, limit) => new Uint8Array(await inflateAsync(bytes, { maxOutputLength: limit })),
};
