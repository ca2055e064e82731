/** What becomes of a foreign network at a given size of the image: the shapes of all its tensors, read without running it. */
import { PermanentError } from '../errors.ts';
import { type ImageInput, imageDims } from './image-input.ts';
import { applyNode, type ImportedModel } from './import.ts';
import { input, type Tensor, unknownDims } from './tensor.ts';

export interface Size {
  readonly height: number;
  readonly width: number;
}

export interface Probe {
  /** By name; where a node does not take this size, or cannot be followed, its outputs have unknown dims. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Nodes that refuse this size. */
  readonly refusals: number;
  /** What the first of them says. */
  readonly refusal: string | undefined;
}

/** The shapes for `batch` images of a size. */
export function probe(model: ImportedModel, image: ImageInput, { height, width }: Size, batch = 1): Probe {
  const known = new Map(model.constants);
  for (const { name, type } of model.inputs) known.set(name, input(name, type, unknownDims));
  known.set(image.name, input(image.name, image.type, imageDims(image, batch, height, width, 3)));
  let refusals = 0;
  let refusal: string | undefined;
  for (const node of model.nodes) {
    try {
      applyNode(node, known, model);
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      refusals++;
      refusal ??= error.message;
      for (const name of node.output ?? []) known.set(name, input(name, 'float32', unknownDims));
    }
  }
  return { tensors: known, refusals, refusal };
}
