/** How a backbone wants its image and which of its tensors are the features. */
import { PermanentError } from '../errors.ts';
import { type DenseTensor, denseTensors } from '../graph/dense-tensors.ts';
import { type ImageInput, imageInput, spatialAxes } from '../graph/image-input.ts';
import type { ImportedModel } from '../graph/import.ts';
import { probe, type Size } from '../graph/probe.ts';
import { type Choice, chooseFeatures } from './choice.ts';
import { type Entry, type ProjectionClaims, parseEntry } from './entry.ts';

/** Channel values arrive as v in 0 … 255; the model gets (v · scale − mean) / deviation, in its own channel order. */
export interface ImageScaling {
  readonly channelOrder: 'RGB' | 'BGR';
  readonly scale: number;
  readonly mean: readonly [number, number, number];
  readonly deviation: readonly [number, number, number];
}

export interface BackboneSettings extends ImageScaling, Choice {
  /** Name of the model's image input. */
  readonly input: string;
  readonly layout: ImageInput['layout'];
  readonly type: ImageInput['type'];
  /** The only size of the image that the model takes: the graph resizes every image to it. Undefined: any size. */
  readonly fixed: Size | undefined;
  /** 1 where the model takes one image at a time. */
  readonly batch: 1 | undefined;
  /** The projection head and prototypes in the file, where it has them. */
  readonly projection?: ProjectionClaims;
}

/** For models that come without settings: RGB scaled to 0 … 1, ImageNet's mean and deviation. */
export const defaultSettings: ImageScaling = {
  channelOrder: 'RGB',
  scale: 1 / 255,
  mean: [0.485, 0.456, 0.406],
  deviation: [0.229, 0.224, 0.225],
};

const zeros = [0, 0, 0] as const;
const ones = [1, 1, 1] as const;

/** Bytes go in as they are; floats as the settings say, or as ImageNet's networks want them. */
function scalingOf({ channel_order, scale, mean, std }: Entry['input'], type: ImageInput['type']): ImageScaling {
  const channelOrder = channel_order ?? defaultSettings.channelOrder;
  if (type === 'uint8') {
    if (mean || std || (scale && scale.factor !== 1))
      throw new PermanentError(
        'the settings beside the model give a scale, mean or std, but the model takes bytes (uint8), which go in as they are; leave them out',
      );
    return { channelOrder, scale: 1, mean: zeros, deviation: ones };
  }
  // Words that speak of no mean mean that none is taken off.
  const plain = scale !== undefined && scale.words !== '' && !/mean/.test(scale.words) && !mean && !std;
  return {
    channelOrder,
    scale: scale?.factor ?? defaultSettings.scale,
    mean: mean ?? (plain ? zeros : defaultSettings.mean),
    deviation: std ?? (mean || plain ? ones : defaultSettings.deviation),
  };
}

const sayInputs = ({ inputs }: ImportedModel) =>
  inputs.map(({ name, type, dims }) => `${name} ${type} [${dims.join(',')}]`).join(', ');

/** @throws PermanentError if what the settings say of the input is not so */
function checkClaims({ name, type, dims }: ImageInput, claims: Entry['input']): void {
  const refuse = (what: string, said: unknown, found: unknown) => {
    throw new PermanentError(
      `the settings beside the model say that the input "${name}" has ${what} ${said}, but the model has ${found}`,
    );
  };
  if (claims.type !== undefined && claims.type !== type) refuse('type', claims.type, type);
  const { shape } = claims;
  const fits =
    shape?.length === dims.length &&
    shape.every((said, i) => typeof said === 'string' || typeof dims[i] === 'string' || said === dims[i]);
  if (shape && !fits) refuse('shape', `[${shape.join(',')}]`, `[${dims.join(',')}]`);
}

function findInput({ input: claims }: Entry, model: ImportedModel): ImageInput {
  const { name, layout } = claims;
  if (name !== undefined && !model.inputs.some(input => input.name === name))
    throw new PermanentError(`the settings beside the model name the input "${name}", which the model does not have`);
  const image = imageInput(model, name, layout);
  if (!image)
    throw new PermanentError(
      `the model has no image input (floats or bytes, N×3×H×W or N×H×W×3): its inputs are ${sayInputs(model)}; export it so that it takes such an image`,
    );
  const channels = image.dims[image.layout === 'NCHW' ? 1 : 3];
  if (typeof channels === 'number' && channels !== 3)
    throw new PermanentError(
      `the model's input "${image.name}" has ${channels} channels in [${image.dims.join(',')}], not 3; only colour images go in`,
    );
  checkClaims(image, claims);
  return image;
}

/** The size that the settings ask for, and the one that a shape in them tells. */
function sizesIn({ input: { size, shape } }: Entry, image: ImageInput): { asked?: Size; told?: Size } {
  const [height, width] = spatialAxes(image).map(axis => shape?.[axis]);
  return {
    ...(size && { asked: { height: size[0], width: size[1] } }),
    ...(typeof height === 'number' && typeof width === 'number' && { told: { height, width } }),
  };
}

/** 1 if the features cannot be computed for two images at once. */
function batchOf(model: ImportedModel, image: ImageInput, deep: DenseTensor, fixed: Size | undefined): 1 | undefined {
  const size = fixed ?? { height: 64 * deep.stride, width: 64 * deep.stride };
  const [one, two] = [1, 2].map(batch => probe(model, image, size, batch));
  const axis = deep.layout === 'TNC' ? 1 : 0;
  if (two!.tensors.get(deep.name)!.dims[axis] === 2) return undefined;
  return typeof image.dims[0] === 'string' && one!.refusals === two!.refusals ? undefined : 1;
}

/** Where nothing was found at the size that the settings ask for, that size may be the reason. */
function explaining<T>(model: ImportedModel, image: ImageInput, asked: Size | undefined, choose: () => T): T {
  try {
    return choose();
  } catch (error) {
    const refusal = asked && probe(model, image, asked).refusal;
    if (!(error instanceof PermanentError) || !refusal) throw error;
    throw new PermanentError(
      `the settings beside the model ask for images of ${asked.height} × ${asked.width} (height × width), but ${refusal}`,
      { cause: error },
    );
  }
}

/** @throws PermanentError if the model lacks a tensor of the projection head */
function checkedProjection(claims: ProjectionClaims, { tensorNames, constants }: ImportedModel): ProjectionClaims {
  const missing =
    [claims.input, claims.output].find(name => !tensorNames.includes(name)) ??
    (constants.get(claims.prototypes)?.dims.length === 2 ? undefined : claims.prototypes);
  if (missing === undefined) return claims;
  throw new PermanentError(
    `the settings beside the model name "${missing}" in the projection, which the model does not have there; give two of its tensors and a stored matrix of prototypes`,
  );
}

/**
 * Settings for a model: from the JSON beside it, and for what that leaves open from the model itself.
 * @param json an entry as in `models.json`, or undefined where there is none
 * @throws PermanentError if the JSON is wrong, or the model takes no image or has no dense features
 */
export function backboneSettings(model: ImportedModel, json: unknown): BackboneSettings {
  const entry = parseEntry(json ?? {});
  const image = findInput(entry, model);
  const batch = image.dims[0];
  if (typeof batch === 'number' && batch > 1)
    throw new PermanentError(
      `the model takes ${batch} images at a time; export it with a free batch axis, or for one image`,
    );
  const { asked, told } = sizesIn(entry, image);
  const dense = denseTensors(model, { image, fixed: asked, told });
  const choice = explaining(model, image, asked, () => chooseFeatures(model, image.name, entry, dense));
  return {
    input: image.name,
    layout: image.layout,
    type: image.type,
    ...scalingOf(entry.input, image.type),
    ...choice,
    fixed: dense.fixed,
    batch: batchOf(model, image, choice.deep, dense.fixed),
    ...(entry.projection && { projection: checkedProjection(entry.projection, model) }),
  };
}
