/** A backbone run on one picture before anything relies on it: does the runtime take it, and does it give features? */
import { type Backbone, imageInput } from '#core/attention/segmentation-model';
import { applyBackbone } from '#core/backbone/apply-backbone';
import { damagedWeights } from '#core/backbone/damaged-weights';
import { PermanentError } from '#core/errors';
import { toModel } from '#core/graph/model';
import { toNchw } from '#core/image/model-input';
import type { RgbImage } from '#core/image/rgb-image';
import type { Model, ModelOptions, Ports, Tensors } from './ports.ts';

/** Features of one picture: data [channels, height, width]. */
export interface FeatureMap {
  readonly data: Float32Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export interface TriedBackbone {
  readonly deep: FeatureMap;
  readonly fine?: FeatureMap;
  /** Of each timed run. */
  readonly milliseconds: readonly number[];
}

export interface TryOptions extends ModelOptions {
  /** Runs that are timed, after the first. */
  readonly timed: number;
}

/**
 * @throws PermanentError if the runtime refuses the network, if it fails on this picture, or if what it gives is not
 * finite, all zero, or the same everywhere
 */
export async function tryBackbone(
  { models, clock }: Pick<Ports, 'models' | 'clock'>,
  backbone: Backbone,
  picture: RgbImage,
  { timed, ...options }: TryOptions,
): Promise<TriedBackbone> {
  try {
    refuseDamaged(backbone);
    const model = await loadMaps(models, backbone, options);
    try {
      const outputs = await runOn(model, picture);
      const milliseconds = [];
      for (let i = 0; i < timed; i++) {
        const started = clock.now();
        await runOn(model, picture);
        milliseconds.push(clock.now() - started);
      }
      const { deep, fine } = checkedMaps(backbone, outputs);
      return { deep: deep!, ...(fine && { fine }), milliseconds };
    } finally {
      await model.release();
    }
  } catch (error) {
    if (!(error instanceof PermanentError) || !backbone.name) throw error;
    throw new PermanentError(`${backbone.name}: ${error.message}`, { cause: error });
  }
}

const wantedNames = ({ settings: { deep, fine } }: Backbone) => [deep.name, ...(fine ? [fine.name] : [])];

function refuseDamaged(backbone: Backbone): void {
  const damaged = damagedWeights(backbone.model, wantedNames(backbone));
  if (damaged !== undefined)
    throw new PermanentError(`the weights "${damaged}" hold NaN; export the model again from a good checkpoint`);
}

/** What ONNX Runtime says of an operator that it does not have, or not for these types. */
const missingOperator =
  /not a registered function|No Op registered|not implemented|NOT_IMPLEMENTED|Could not find an implementation/i;

async function loadMaps(models: Ports['models'], { model, settings }: Backbone, options: ModelOptions): Promise<Model> {
  const image = imageInput(settings.batch);
  const { deep, fine } = applyBackbone(model, settings, image);
  const graph = toModel({ name: 'try', inputs: [image], outputs: { deep, ...(fine && { fine }) } });
  try {
    return await models.load(graph, options);
  } catch (error) {
    if (!(error instanceof PermanentError) || !missingOperator.test(error.message)) throw error;
    throw new PermanentError(
      `${error.message}; the runtime lacks this operator: export the model with operators of the ONNX standard, in float32`,
      { cause: error },
    );
  }
}

async function runOn(model: Model, picture: RgbImage): Promise<Tensors> {
  const { width, height } = picture;
  try {
    const image = { type: 'float32', dims: [1, 3, height, width], data: toNchw(picture) } as const;
    return (await model.run({ image })).outputs;
  } catch (cause) {
    throw new PermanentError(
      `the model fails on an image of ${width} × ${height}: ${(cause as Error).message}; if it takes one size only, ` +
        'say which beside it: {"input": {"size": [224, 224]}} (height, width)',
      { cause },
    );
  }
}

function checkedMaps({ settings }: Backbone, outputs: Tensors): Partial<Record<'deep' | 'fine', FeatureMap>> {
  const maps: Partial<Record<'deep' | 'fine', FeatureMap>> = {};
  for (const [kind, { data, dims }] of Object.entries(outputs)) {
    const [, channels, height, width] = dims as [number, number, number, number];
    const map = { data: data as Float32Array, channels, height, width };
    refuseEmpty(map, settings[kind as 'deep' | 'fine']!.name);
    maps[kind as 'deep' | 'fine'] = map;
  }
  return maps;
}

function refuseEmpty({ data, height, width }: FeatureMap, name: string): void {
  const bad = data.reduce((count, value) => count + (Number.isFinite(value) ? 0 : 1), 0);
  if (bad > 0)
    throw new PermanentError(
      `${bad} of ${data.length} values of "${name}" are not finite (NaN or too large): are the weights whole, and is the scaling of the image right? float16 may overflow; export it in float32`,
    );
  if (data.every(value => value === 0))
    throw new PermanentError(
      `all values of "${name}" are zero: are the weights those of a trained network? Or name another tensor in the settings beside the model`,
    );
  const positions = height * width;
  const plain = positions > 1 && data.every((value, i) => value === data[i - (i % positions)]);
  if (plain)
    throw new PermanentError(
      `"${name}" is the same at every place of the image; name another tensor in the settings beside the model`,
    );
}
