/** How a backbone wants its image and which of its tensors are the features; applies it to an image in the graph. */
import { z } from 'zod';
import { PermanentError } from '../errors.ts';
import { type DenseTensor, denseTensors, imageInput } from '../graph/dense-tensors.ts';
import { applyModel, type ImportedModel } from '../graph/import.ts';
import { gather, mul, sub } from '../graph/ops.ts';
import { constant, integers, type Tensor } from '../graph/tensor.ts';

/** Channel values arrive as v in 0 … 255; the model gets (v · scale − mean) / deviation, in its own channel order. */
export interface ImageScaling {
  readonly channelOrder: 'RGB' | 'BGR';
  readonly scale: number;
  readonly mean: readonly [number, number, number];
  readonly deviation: readonly [number, number, number];
}

export interface BackboneSettings extends ImageScaling {
  /** Name of the model's image input. */
  readonly input: string;
  /** The deepest dense features: what labels are made of. */
  readonly deep: DenseTensor;
  /** Features of the next finer stride, where the model has any. */
  readonly fine: DenseTensor | undefined;
}

/** For models that come without settings: RGB scaled to 0 … 1, ImageNet's mean and deviation. */
export const defaultSettings: ImageScaling = {
  channelOrder: 'RGB',
  scale: 1 / 255,
  mean: [0.485, 0.456, 0.406],
  deviation: [0.229, 0.224, 0.225],
};

const perChannel = z.tuple([z.number(), z.number(), z.number()]);

/** A factor, or in words what happens to a value first: `value/255, then (x-mean)/std`, `value (0..255) minus mean`. */
const scaleSchema = z.union([
  z.number().positive(),
  z
    .string()
    .regex(/^value\b/, 'does not begin with "value"')
    .transform(words => 1 / Number(/^value\s*\/\s*([\d.]+)/.exec(words)?.[1] ?? 1)),
]);

/** One entry of `models.json`, or the file beside a model; what else it says is for people. */
const entrySchema = z.object({
  file: z.string().optional(),
  input: z
    .object({
      name: z.string(),
      channel_order: z.enum(['RGB', 'BGR']),
      scale: scaleSchema,
      mean: perChannel,
      std: perChannel,
    })
    .partial()
    .default({}),
  outputs: z.array(z.object({ name: z.string() })).default([]),
  inner_features: z.object({ tensor: z.string() }).optional(),
});

type Entry = z.infer<typeof entrySchema>;

function parseEntry(json: unknown): Entry {
  const parsed = entrySchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = issue?.path.join('.') || 'the whole';
  throw new PermanentError(`the settings beside the model are wrong at ${place}: ${issue?.message}`);
}

/**
 * The entry for one model file in a list such as `models.json`; a file with settings for one model is that entry.
 * @returns undefined if the list has none for it
 */
export function settingsEntry(json: unknown, file: string): unknown {
  if (!Array.isArray(json)) return json;
  return json.find(entry => (entry as { file?: unknown } | null)?.file === file);
}

/** Sizes of axis 1 of outputs that are no maps: numbers of classes. A map with as many channels holds class scores. */
function classCounts({ outputs }: ImportedModel, dense: readonly DenseTensor[]): ReadonlySet<unknown> {
  const maps = new Set(dense.map(({ name }) => name));
  return new Set(outputs.filter(({ name }) => !maps.has(name)).map(({ dims }) => dims[1]));
}

/** The deepest map: among those the file declares if it declares any, and none of class scores if there are others. */
function deepest(dense: readonly DenseTensor[], model: ImportedModel): DenseTensor | undefined {
  const counts = classCounts(model, dense);
  const features = dense.filter(({ channels }) => !counts.has(channels));
  const candidates = features.length > 0 ? features : dense;
  return candidates.findLast(({ declared }) => declared) ?? candidates.at(-1);
}

/** Below this share of the network, a map is only where a transformer cuts the image into patches. */
const shallowShare = 0.1;

function refuseShallow({ name, declared }: DenseTensor, { tensorNames }: ImportedModel): void {
  if (declared || tensorNames.indexOf(name) >= shallowShare * tensorNames.length) return;
  throw new PermanentError(
    `the model's only dense feature map is "${name}", right after its input; if it is a transformer, ` +
      'export it with its patch tokens folded into an output N×C×h×w',
  );
}

/** The map of the next finer stride: a declared one, else the end of a stage, else the deepest of that stride. */
function nextFiner(dense: readonly DenseTensor[], deep: DenseTensor): DenseTensor | undefined {
  const before = dense.slice(0, dense.indexOf(deep)).filter(({ stride }) => stride < deep.stride);
  const stride = Math.max(...before.map(({ stride }) => stride));
  const candidates = before.filter(tensor => tensor.stride === stride);
  return (
    candidates.findLast(({ declared }) => declared) ??
    candidates.findLast(({ bottleneck }) => bottleneck) ??
    candidates.at(-1)
  );
}

/** The dense tensors that the settings name, in the order of depth. */
function namedTensors(entry: Entry, dense: readonly DenseTensor[], model: ImportedModel): DenseTensor[] {
  const names = [
    ...entry.outputs.map(({ name }) => name),
    ...(entry.inner_features ? [entry.inner_features.tensor] : []),
  ];
  const unknown = names.find(name => !model.tensorNames.includes(name));
  if (unknown !== undefined)
    throw new PermanentError(
      `the settings beside the model name the tensor "${unknown}", which the model does not have`,
    );
  const inner = entry.inner_features?.tensor;
  if (inner !== undefined && !dense.some(({ name }) => name === inner))
    throw new PermanentError(`the settings beside the model name "${inner}", which is no dense feature map N×C×h×w`);
  return dense.filter(({ name }) => names.includes(name));
}

function findInput(entry: Entry, model: ImportedModel): string {
  const { name } = entry.input;
  if (name !== undefined && !model.inputs.some(input => input.name === name))
    throw new PermanentError(`the settings beside the model name the input "${name}", which the model does not have`);
  const image = imageInput(model);
  if (!image || (name !== undefined && name !== image.name))
    throw new PermanentError(
      `the model has no image input (float, N×3×H×W): its inputs are ${model.inputs
        .map(({ name, type, dims }) => `${name} ${type} [${dims.join(',')}]`)
        .join(', ')}`,
    );
  const channels = image.dims[1];
  if (typeof channels === 'number' && channels !== 3)
    throw new PermanentError(`the model's input "${image.name}" has ${channels} channels at axis 1, not 3 (N×3×H×W)`);
  return image.name;
}

/**
 * Settings for a model: from the JSON beside it, and for what that leaves open from the model itself.
 * @param json an entry as in `models.json`, or undefined where there is none
 * @throws PermanentError if the JSON is wrong, or the model takes no image or has no dense features
 */
export function backboneSettings(model: ImportedModel, json: unknown): BackboneSettings {
  const entry = parseEntry(json ?? {});
  const input = findInput(entry, model);
  const dense = denseTensors(model);
  const named = namedTensors(entry, dense, model);
  const deep =
    named.findLast(({ stride }) => stride === Math.max(...named.map(one => one.stride))) ?? deepest(dense, model);
  if (!deep)
    throw new PermanentError(
      'the model has no dense feature map (N×C×h×w that grows with the image); export it without its pooling and classifier',
    );
  if (named.length === 0) refuseShallow(deep, model);
  const { channel_order, scale, mean, std } = entry.input;
  return {
    input,
    channelOrder: channel_order ?? defaultSettings.channelOrder,
    scale: scale ?? defaultSettings.scale,
    mean: mean ?? defaultSettings.mean,
    deviation: std ?? (mean ? [1, 1, 1] : defaultSettings.deviation),
    deep,
    fine: nextFiner(named, deep) ?? nextFiner(dense, deep),
  };
}

/** An RGB image [N,3,H,W] in 0 … 255, as the model wants it. */
function scaledImage(image: Tensor, { channelOrder, scale, mean, deviation }: ImageScaling): Tensor {
  const perChannel = (values: readonly number[]) => constant(Float32Array.from(values), [1, 3, 1, 1]);
  const ordered = channelOrder === 'RGB' ? image : gather(image, integers([2, 1, 0]), { axis: 1 });
  const factors = perChannel(deviation.map(value => scale / value));
  const offsets = perChannel(mean.map((value, i) => value / deviation[i]!));
  return sub(mul(ordered, factors), offsets);
}

/**
 * The features of an image; scaling and channel order are part of the graph.
 * @param image [N,3,H,W], RGB, 0 … 255
 * @returns maps [N,channels,h,w] at the strides of the settings
 */
export function applyBackbone(
  model: ImportedModel,
  settings: BackboneSettings,
  image: Tensor,
): { deep: Tensor; fine?: Tensor } {
  const { input, deep, fine } = settings;
  const feeds = { [input]: scaledImage(image, settings) };
  const [deepMap, fineMap] = applyModel(model, feeds, [deep.name, ...(fine ? [fine.name] : [])], 'backbone');
  return { deep: deepMap!, ...(fineMap && { fine: fineMap }) };
}
