/** Reading the images of a shard: decoded, or rejected with a reason. One broken image never fails its shard. */
import { RejectedInput } from '#core/errors';
import type { ModelSizeRule } from '#core/image/model-input';
import { decodeSize } from '#core/image/pixel-input';
import type { PlannedImage } from '#core/job/plan';
import type { DecodedImage, Ports } from './ports.ts';

/** Files above this are not photos: reading them would only cost memory. */
const largestFile = 512 * 2 ** 20;

export type ReadImage =
  | { readonly name: string; readonly state: 'read'; readonly sha256: string; readonly decoded: DecodedImage }
  | { readonly name: string; readonly state: 'rejected'; readonly reason: string };

/** @param rule decode no larger than the model needs; default: full size */
export async function readImage(
  ports: Ports,
  prefix: string,
  planned: PlannedImage,
  rule?: ModelSizeRule,
): Promise<ReadImage> {
  const { name } = planned;
  try {
    if (planned.size > largestFile) throw new RejectedInput(`larger than ${largestFile / 2 ** 20} MB`);
    const bytes = await ports.store.get(prefix + name);
    if (!bytes) throw new RejectedInput('gone since the job was planned');
    const decoded = await ports.images.decode(bytes, rule && (shown => decodeSize(shown, rule)));
    return { name, state: 'read', sha256: ports.digest.sha256(bytes), decoded };
  } catch (error) {
    if (error instanceof RejectedInput) return { name, state: 'rejected', reason: error.message };
    throw error;
  }
}
