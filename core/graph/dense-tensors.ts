/** Which tensors of a foreign network are dense feature maps: found by reading shapes at two image sizes. */
import { PermanentError } from '../errors.ts';
import { applyNode, type ImportedModel, type NamedShape } from './import.ts';
import type { NodeProto } from './onnx.ts';
import { type ElementType, input, type Tensor, unknownDims } from './tensor.ts';

/** A feature map N×channels×(height / stride)×(width / stride). */
export interface DenseTensor {
  readonly name: string;
  readonly channels: number;
  /** Pixels of the image per position. */
  readonly stride: number;
  /** Whether it is an output of the file; others lie inside the graph. */
  readonly declared: boolean;
  /** Whether everything computed later reads the image through this tensor alone, as after a stage of a network. */
  readonly bottleneck: boolean;
}

/** Multiples of 64, so that strides up to 64 come out even. */
const probeSizes = [256, 448] as const;

const floats: ReadonlySet<ElementType> = new Set(['float32', 'float16', 'float64', 'bfloat16']);

/** The input that takes the image: the first float input with four axes. Undefined if there is none. */
export function imageInput({ inputs }: ImportedModel): NamedShape | undefined {
  return inputs.find(({ type, dims }) => floats.has(type) && dims.length === 4);
}

/** The shapes of all tensors for an image of size×size; where a node does not take that size, they stay unknown. */
function tensorsAt(model: ImportedModel, image: NamedShape, size: number): ReadonlyMap<string, Tensor> {
  const known = new Map(model.constants);
  for (const { name, type } of model.inputs) known.set(name, input(name, type, unknownDims));
  known.set(image.name, input(image.name, image.type, [1, image.dims[1]!, size, size]));
  for (const node of model.nodes) {
    try {
      applyNode(node, known, model);
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
      for (const name of node.output ?? []) known.set(name, input(name, 'float32', unknownDims));
    }
  }
  return known;
}

/** Positions of the last node that reads each tensor; outputs of the file are not read by a node. */
function lastUses(nodes: readonly NodeProto[]): ReadonlyMap<string, number> {
  return new Map(nodes.flatMap(({ input = [] }, i) => input.map(name => [name, i] as const)));
}

/** Tensors that nothing computed before them bypasses. */
function bottlenecks({ nodes, inputs }: ImportedModel): ReadonlySet<string> {
  const uses = lastUses(nodes);
  const found = new Set<string>();
  let furthest = Math.max(...inputs.map(({ name }) => uses.get(name) ?? -1));
  for (const [i, { output = [], input = [] }] of nodes.entries()) {
    const [name = ''] = output;
    if (furthest <= i) found.add(name);
    if (input.length > 0) furthest = Math.max(furthest, ...output.map(out => uses.get(out) ?? -1));
  }
  return found;
}

/** The stride and channels of a tensor from its shapes at both sizes, if it is a dense map. */
function denseShape(
  small: Tensor | undefined,
  large: Tensor | undefined,
): { channels: number; stride: number } | undefined {
  if (!small || !large || !floats.has(small.type) || small.dims.length !== 4 || large.dims.length !== 4)
    return undefined;
  const [, channels, ...smallSides] = small.dims;
  const [, largeChannels, ...largeSides] = large.dims;
  const [stride, other] = smallSides.map(
    (side, i) => (probeSizes[1] - probeSizes[0]) / (Number(largeSides[i]) - Number(side)),
  );
  const dense = Number.isInteger(stride) && stride === other && stride! >= 1;
  return dense && typeof channels === 'number' && channels === largeChannels
    ? { channels, stride: stride! }
    : undefined;
}

/** The dense feature maps of a model, in the order in which they are computed: the deepest is the last. */
export function denseTensors(model: ImportedModel): DenseTensor[] {
  const image = imageInput(model);
  if (!image) return [];
  const [small, large] = probeSizes.map(size => tensorsAt(model, image, size));
  const declared = new Set(model.outputs.map(({ name }) => name));
  const narrow = bottlenecks(model);
  return model.tensorNames.flatMap(name => {
    const shape = name === image.name ? undefined : denseShape(small!.get(name), large!.get(name));
    return shape ? [{ name, ...shape, declared: declared.has(name), bottleneck: narrow.has(name) }] : [];
  });
}
