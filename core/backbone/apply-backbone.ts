/** A backbone applied to an image inside a graph: the image brought to what the network wants, its features to maps. */
import type { DenseTensor } from '../graph/dense-tensors.ts';
import { applyModel, type ImportedModel } from '../graph/import.ts';
import { ranked } from '../graph/layers.ts';
import {
  add,
  cast,
  clip,
  concat,
  div,
  gather,
  mul,
  reshape,
  resize,
  shape,
  slice,
  sub,
  transpose,
} from '../graph/ops.ts';
import { constant, integers, type Tensor } from '../graph/tensor.ts';
import type { BackboneSettings, ImageScaling } from './settings.ts';

/** Channels [N,3,H,W] in 0 … 255, as the model wants its numbers. */
function scaled(image: Tensor, { scale, mean, deviation }: ImageScaling): Tensor {
  const perChannel = (values: readonly number[]) => constant(Float32Array.from(values), [1, 3, 1, 1]);
  const factors = perChannel(deviation.map(value => scale / value));
  const offsets = perChannel(mean.map((value, i) => value / deviation[i]!));
  return sub(mul(image, factors), offsets);
}

/** Floats to the nearest byte. */
const bytes = (x: Tensor) => cast(clip(add(x, constant(0.5)), { min: 0, max: 255 }), { to: 'uint8' });

function asInput(image: Tensor, settings: BackboneSettings): Tensor {
  const { channelOrder, layout, type } = settings;
  const ordered = channelOrder === 'RGB' ? image : gather(image, integers([2, 1, 0]), { axis: 1 });
  const numbers = type === 'uint8' ? bytes(ordered) : scaled(ordered, settings);
  return layout === 'NCHW' ? numbers : transpose(numbers, { perm: [0, 2, 3, 1] });
}

const isTokens = ({ layout }: DenseTensor) => layout.includes('T');

/** Pixels per patch, by which the sides must divide; undefined for maps, which networks size as they like. */
function patchOf({ deep, fine, fixed }: BackboneSettings): number | undefined {
  const tokens = [deep, ...(fine ? [fine] : [])].filter(isTokens);
  return fixed || tokens.length === 0 ? undefined : Math.max(...tokens.map(({ stride }) => stride));
}

/** Height and width of a map, int64 [2]. */
const spatialSizes = (x: Tensor) => slice(shape(x), { starts: [2], ends: [4] });

/** Each side to the nearest multiple of the patch, at least one. */
function wholePatches(image: Tensor, patch: number): Tensor {
  const number = (value: number) => integers([value], []);
  const rounded = div(add(spatialSizes(image), number(Math.floor(patch / 2))), number(patch));
  return mul(clip(rounded, { min: 1 }), number(patch));
}

function fittedImage(image: Tensor, settings: BackboneSettings): Tensor {
  const patch = patchOf(settings);
  if (!settings.fixed && !patch) return image;
  const target = settings.fixed ? integers([settings.fixed.height, settings.fixed.width]) : wholePatches(image, patch!);
  const kept = slice(shape(image), { starts: [0], ends: [2] });
  const how = { mode: 'linear', coordinate_transformation_mode: 'half_pixel', antialias: 1 } as const;
  return resize(image, { sizes: concat([kept, target], { axis: 0 }) }, how);
}

const end = 2 ** 31 - 1;

/** Tokens without those in front and behind, as a map. @param image what the network saw */
function folded(
  tokens: Tensor,
  { layout, channels, stride, prefix, suffix, grid }: DenseTensor,
  image: Tensor,
): Tensor {
  const inFront = layout === 'NTC' ? [0, 2, 1] : layout === 'TNC' ? [1, 2, 0] : undefined;
  const columns = inFront ? transpose(tokens, { perm: inFront }) : tokens;
  const whole = prefix + suffix === 0;
  const patches = whole ? columns : slice(columns, { starts: [prefix], ends: [suffix ? -suffix : end], axes: [2] });
  if (grid) return reshape(patches, [0, channels, grid.height, grid.width]);
  const sides = div(spatialSizes(image), integers([stride], []));
  return reshape(patches, concat([integers([0, channels]), sides], { axis: 0 }));
}

/** The features as a map N×C×h×w. */
function asMap(features: Tensor, dense: DenseTensor, image: Tensor): Tensor {
  const known = ranked(features, isTokens(dense) ? 3 : 4);
  if (isTokens(dense)) return folded(known, dense, image);
  return dense.layout === 'NCHW' ? features : transpose(known, { perm: [0, 3, 1, 2] });
}

/**
 * The features of an image of any height and width; resizing, scaling and channel order are part of the graph.
 * @param image [N,3,H,W], RGB, 0 … 255
 * @returns maps [N,channels,h,w]
 */
export function applyBackbone(
  model: ImportedModel,
  settings: BackboneSettings,
  image: Tensor,
): { deep: Tensor; fine?: Tensor } {
  const { input, deep, fine } = settings;
  const seen = fittedImage(image, settings);
  const names = [deep.name, ...(fine ? [fine.name] : [])];
  const [deepest, finer] = applyModel(model, { [input]: asInput(seen, settings) }, names, 'backbone');
  return { deep: asMap(deepest!, deep, seen), ...(finer && fine && { fine: asMap(finer, fine, seen) }) };
}
