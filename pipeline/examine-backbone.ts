/** Everything there is to know of a network before it is used: what it takes, which features it gives, how fast, and a picture of them. */
import { candidates } from '#core/backbone/candidates';
import { featurePicture } from '#core/backbone/feature-picture';
import { misspeltKeys } from '#core/backbone/misspelt-keys';
import { type BackboneSettings, backboneSettings } from '#core/backbone/settings';
import { settingsJson } from '#core/backbone/settings-json';
import { encodePicturePng } from '#core/formats/png-picture';
import { type DenseTensor, denseTensors } from '#core/graph/dense-tensors';
import { type ImageInput, imageInput } from '#core/graph/image-input';
import { importModel } from '#core/graph/import';
import { readModel } from '#core/graph/onnx';
import type { ModelSizeRule } from '#core/image/model-input';
import type { RgbImage } from '#core/image/rgb-image';
import { recipeRule } from './backbone.ts';
import { naming } from './documents.ts';
import type { Ports } from './ports.ts';
import { tryBackbone } from './try-backbone.ts';

export interface Network {
  /** As the user calls it. */
  readonly name: string;
  /** As the settings call it: without folders. */
  readonly file: string;
  readonly bytes: Uint8Array;
  /** Parsed; undefined where there are none. */
  readonly json: unknown;
}

export interface Examination {
  readonly format: { readonly opset: number; readonly irVersion: number; readonly producer: string };
  readonly image: ImageInput;
  readonly settings: BackboneSettings;
  /** The dense tensors worth naming, in the order of depth. */
  readonly candidates: readonly DenseTensor[];
  /** How many dense tensors there are in all. */
  readonly dense: number;
  /** Size of the photo as the network was given it. */
  readonly photo: { readonly width: number; readonly height: number };
  /** Positions of its features. */
  readonly grid: { readonly height: number; readonly width: number };
  /** For one image on one core, the median of the runs. */
  readonly milliseconds: number;
  /** PNG of the first three principal components. */
  readonly picture: Uint8Array;
  /** Keys of the settings that say nothing and were probably meant to. */
  readonly misspelt: readonly string[];
  /** The settings as JSON. */
  readonly entry: object;
}

const timedRuns = 3;

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

/**
 * @param readPhoto the photo to try it on, at the size that `run` would make it
 * @throws PermanentError that names the network, says what is wrong with it and what to do
 */
export async function examineBackbone(
  ports: Pick<Ports, 'models' | 'images' | 'clock'>,
  { name, file, bytes, json }: Network,
  readPhoto: (rule: ModelSizeRule) => Promise<RgbImage>,
): Promise<Examination> {
  const { model, settings } = naming(name, () => {
    const model = importModel(bytes);
    return { model, settings: backboneSettings(model, json) };
  });
  const image = imageInput(model, settings.input, settings.layout)!;
  const { tensors } = denseTensors(model, { image, fixed: settings.fixed });
  const options = { sessions: 1, threadsPerSession: 1, timed: timedRuns };
  const photo = await readPhoto(recipeRule(settings));
  const { deep, milliseconds } = await tryBackbone(ports, { name, model, settings, scales: 1 }, photo, options);
  const picture = await featurePicture(photo, deep);
  return {
    format: formatOf(bytes),
    image,
    settings,
    candidates: candidates(tensors, [settings.deep, ...(settings.fine ? [settings.fine] : [])]),
    dense: tensors.length,
    photo: { width: photo.width, height: photo.height },
    grid: { height: deep.height, width: deep.width },
    milliseconds: median(milliseconds),
    picture: await encodePicturePng(picture, raw => ports.images.deflate(raw)),
    misspelt: misspeltKeys(json),
    entry: settingsJson(file, model, settings),
  };
}

function formatOf(bytes: Uint8Array): Examination['format'] {
  const { irVersion = 0, opsetImport = [], producerName = '', producerVersion = '' } = readModel(bytes);
  const standard = opsetImport.find(({ domain = '' }) => domain === '' || domain === 'ai.onnx');
  return { irVersion, opset: standard?.version ?? 0, producer: `${producerName} ${producerVersion}`.trim() };
}
