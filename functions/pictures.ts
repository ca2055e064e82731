/** All ports of a stage for functions that read pictures but run no models. */
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { PermanentError } from '#core/errors';
import type { ModelRunner, Ports } from '#pipeline/ports';
import type { openCloud } from './cloud.ts';

/** Lambda gives a whole core per 1769 MB; two threads keep one busy while another waits for the bucket. */
const threads = 2;

export function withPictures({ ports, log, settings }: ReturnType<typeof openCloud>): Ports {
  const refuse = async () => {
    throw new PermanentError('functions run no models; this stage belongs to a task');
  };
  const models: ModelRunner = { device: settings.device, load: refuse, train: refuse };
  return { ...ports, models, images: new SharpCodec(), log, tuning: { threads }, place: `s3://${settings.bucket}` };
}
