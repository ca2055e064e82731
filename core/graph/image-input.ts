/** The input of a foreign network that takes the image: which one it is, and in what order its axes stand. */
import type { ImportedModel, NamedShape } from './import.ts';
import type { Dim, ElementType } from './tensor.ts';

export type ImageLayout = 'NCHW' | 'NHWC';

export interface ImageInput extends NamedShape {
  readonly layout: ImageLayout;
}

/** What a float image can be converted to inside a graph. */
const accepted: ReadonlySet<ElementType> = new Set(['float32', 'float16', 'float64', 'bfloat16', 'uint8']);

const isThree = (dim: Dim | undefined) => dim === 3;

/** Where the channels stand: at the axis of size 3, and in front where the file does not tell. */
function layoutOf({ dims }: NamedShape): ImageLayout {
  return !isThree(dims[1]) && isThree(dims[3]) ? 'NHWC' : 'NCHW';
}

/**
 * The input that takes the image: a float or byte tensor with four axes, best one with an axis of three channels.
 * @param name the one that is meant, where it is known
 * @param layout how it is meant, where it is known
 * @returns undefined if the model has none
 */
export function imageInput(
  { inputs }: ImportedModel,
  name?: string,
  layout?: ImageLayout | undefined,
): ImageInput | undefined {
  const candidates = inputs.filter(
    input => accepted.has(input.type) && input.dims.length === 4 && (name === undefined || input.name === name),
  );
  const image = candidates.find(({ dims }) => isThree(dims[1]) || isThree(dims[3])) ?? candidates[0];
  return image && { ...image, layout: layout ?? layoutOf(image) };
}

/** The axes of the image's height and width. */
export const spatialAxes = ({ layout }: { readonly layout: ImageLayout }) =>
  layout === 'NCHW' ? ([2, 3] as const) : ([1, 2] as const);

/** Sizes in the order of the input's axes. */
export function imageDims<D>({ layout }: { layout: ImageLayout }, batch: D, height: D, width: D, channels: D): D[] {
  return layout === 'NCHW' ? [batch, channels, height, width] : [batch, height, width, channels];
}
