/** A backbone as a file of its own: the model's own input, and the features that are used of it. */
import { applyModel, type ImportedModel } from '../graph/import.ts';
import { toModel } from '../graph/model.ts';
import { input } from '../graph/tensor.ts';
import type { BackboneSettings } from './settings.ts';

/** ONNX from the image input to the deep and, where there is one, the fine features, under their names. */
export function backboneBytes(model: ImportedModel, { input: name, deep, fine }: BackboneSettings): Uint8Array {
  const { type, dims } = model.inputs.find(one => one.name === name)!;
  const image = input(name, type, dims);
  const names = [...(fine ? [fine.name] : []), deep.name];
  const maps = applyModel(model, { [name]: image }, names);
  const outputs = Object.fromEntries(names.map((output, i) => [output, maps[i]!]));
  return toModel({ name: 'backbone', inputs: [image], outputs });
}
