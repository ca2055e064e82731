/** Settings as the JSON beside a network says them, so that a person can correct what had to be assumed. */
import type { DenseTensor } from '../graph/dense-tensors.ts';
import { imageInput, spatialAxes } from '../graph/image-input.ts';
import type { ImportedModel } from '../graph/import.ts';
import type { BackboneSettings } from './settings.ts';

function features({ channels, stride, layout, prefix, grid }: DenseTensor) {
  return {
    channels,
    stride,
    layout,
    ...(layout.includes('T') && { prefix_tokens: prefix }),
    ...(layout.includes('T') && grid && { grid: [grid.height, grid.width] }),
  };
}

const inWords = (scale: number) => (Math.abs(scale * 255 - 1) < 1e-9 ? 'value/255, then (x-mean)/std' : scale);

/** An entry as in `models.json`; read again it gives the same settings. */
export function settingsJson(file: string, model: ImportedModel, settings: BackboneSettings) {
  const { input, layout, type, channelOrder, scale, mean, deviation, deep, fine, fixed } = settings;
  const image = imageInput(model, input, layout)!;
  const { dims } = image;
  const [height, width] = spatialAxes(image).map(axis => dims[axis]);
  const untold = fixed && (height !== fixed.height || width !== fixed.width);
  const tensors = [...(fine ? [fine] : []), deep];
  const inner = tensors.filter(({ declared }) => !declared).map(one => ({ tensor: one.name, ...features(one) }));
  const scaling = { scale: inWords(scale), mean, std: deviation };
  return {
    file,
    input: {
      name: input,
      type,
      shape: dims,
      layout,
      ...(untold && { size: [fixed.height, fixed.width] }),
      channel_order: channelOrder,
      ...(type === 'uint8' ? {} : scaling),
    },
    outputs: tensors.filter(({ declared }) => declared).map(one => ({ name: one.name, ...features(one) })),
    ...(inner.length > 0 && { inner_features: inner.length === 1 ? inner[0] : inner }),
  };
}
