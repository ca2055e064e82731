/** Loading a published model, in a file of its own: it needs little else, so that it can come first when a program starts. */
import { PermanentError } from '#core/errors';
import { toModel } from '#core/graph/model';
import { type ModelOutline, readOutline, type ValueInfoProto } from '#core/graph/onnx';
import { prepend } from '#core/graph/prepend';
import { pixelInput } from '#core/image/pixel-input';
import type { Model, Ports } from './ports.ts';

/** The model behind an input of bytes: what it computes is the same. */
export function loadModel({ models, tuning }: Pick<Ports, 'models' | 'tuning'>, bytes: Uint8Array): Promise<Model> {
  const published = readOutline(bytes);
  assertPublished(published);
  const { inputs, image } = pixelInput();
  const head = toModel({ name: 'pixels', inputs, outputs: { image } });
  const { threads, promptly = false } = tuning;
  const options = { sessions: threads, threadsPerSession: 1, threadsAlone: promptly ? threads : 1, given: true };
  return models.load(prepend(head, published, 'image'), options);
}

/** @throws PermanentError for a network that is no published model */
function assertPublished({ graph }: ModelOutline): void {
  const has = (list: readonly ValueInfoProto[] = [], name: string) => list.some(one => one.name === name);
  if (has(graph?.input, 'image') && has(graph?.output, 'scores')) return;
  throw new PermanentError(
    'not a model made by selflabel run (input image, outputs scores and foreground); give its folder, DIR/model',
  );
}
