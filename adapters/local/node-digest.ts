/** SHA-256 by Node. */
import { createHash } from 'node:crypto';
import type { Digest } from '#pipeline/ports';

export const nodeDigest: Digest = {
  sha256: bytes => createHash('sha256').update(bytes).digest('hex'),
};
