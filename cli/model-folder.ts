/** The folder of a published model, as `predict` and `serve` take it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PermanentError } from '#core/errors';

/** @throws PermanentError that says where the model is, if the folder of a run was given, or what is missing */
export function assertModelFolder(folder: string): void {
  const missing = ['model.onnx', 'card.json'].find(file => !existsSync(join(folder, file)));
  if (!missing) return;
  if (existsSync(join(folder, 'model', missing)))
    throw new PermanentError(`${folder} is the folder of a run; give its model, ${join(folder, 'model')}`);
  throw new PermanentError(
    `${join(folder, missing)} does not exist; give the folder of a model, DIR/model after a run`,
  );
}
