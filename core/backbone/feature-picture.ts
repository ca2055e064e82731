/** Features made visible: their first three principal components as red, green and blue, beside and over the photo. */
import { principalComponents } from '../attention/principal-components.ts';
import { resizeMap } from '../image/resize-map.ts';
import { greyOf, type RgbImage } from '../image/rgb-image.ts';

interface FeatureMap {
  /** [channels, height, width]. */
  readonly data: Float32Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** Rows of unit length with their mean taken off: [positions, channels]. */
function centredRows({ data, channels, height, width }: FeatureMap): Float64Array {
  const positions = height * width;
  const rows = new Float64Array(positions * channels);
  const mean = new Float64Array(channels);
  for (let p = 0; p < positions; p++) {
    let squares = 0;
    for (let c = 0; c < channels; c++) squares += data[c * positions + p]! ** 2;
    const scale = 1 / Math.max(Math.sqrt(squares), 1e-12);
    for (let c = 0; c < channels; c++) {
      const value = data[c * positions + p]! * scale;
      rows[p * channels + c] = value;
      mean[c]! += value / positions;
    }
  }
  for (let i = 0; i < rows.length; i++) rows[i]! -= mean[i % channels]!;
  return rows;
}

/** directions · rowsᵀ: [directions, positions]. */
function projected(rows: Float64Array, directions: Float64Array, channels: number): Float64Array {
  const [count, positions] = [directions.length / channels, rows.length / channels];
  const out = new Float64Array(count * positions);
  for (let d = 0; d < count; d++) {
    for (let p = 0; p < positions; p++) {
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += directions[d * channels + c]! * rows[p * channels + c]!;
      out[d * positions + p] = sum;
    }
  }
  return out;
}

/** directions · rowsᵀ · rows, the covariance never being formed: channels may be thousands. */
function throughRows(rows: Float64Array, directions: Float64Array, channels: number): Float64Array {
  const weights = projected(rows, directions, channels);
  const [count, positions] = [directions.length / channels, rows.length / channels];
  const out = new Float64Array(directions.length);
  for (let d = 0; d < count; d++) {
    for (let p = 0; p < positions; p++) {
      const weight = weights[d * positions + p]!;
      for (let c = 0; c < channels; c++) out[d * channels + c]! += weight * rows[p * channels + c]!;
    }
  }
  return out;
}

/** The first three principal components at every position, each stretched to 0 … 255: [3, height, width]; fewer channels leave the rest grey. */
export async function componentPlanes(features: FeatureMap): Promise<Float32Array> {
  const { channels, height, width } = features;
  const rows = centredRows(features);
  const count = Math.min(3, channels, height * width);
  const product = async (directions: Float64Array, wanted: number) =>
    throughRows(rows, directions.subarray(0, wanted * channels), channels);
  const { components } = await principalComponents(channels, count, product, { tolerance: 1e-3, mostRestarts: 8 });
  const values = projected(rows, components, channels);
  const planes = new Float32Array(3 * height * width).fill(128);
  for (let k = 0; k < count; k++)
    planes.set(stretched(values.subarray(k * height * width, (k + 1) * height * width)), k * height * width);
  return planes;
}

/** The 2nd percentile becomes 0, the 98th 255. */
function stretched(values: Float64Array): Float32Array {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
  const [low, high] = [at(0.02), at(0.98)];
  const scale = 255 / Math.max(high - low, 1e-12);
  return Float32Array.from(values, value => Math.min(255, Math.max(0, (value - low) * scale)));
}

/** Of the colours over the photo; the rest is its light and dark. */
const colourShare = 0.6;
const gap = 8;

/** Photo, components over the photo, components alone on their own grid; side by side on white. */
export async function featurePicture(photo: RgbImage, features: FeatureMap): Promise<RgbImage> {
  const { width, height } = photo;
  const planes = await componentPlanes(features);
  const plane = (k: number) =>
    planes.subarray(k * features.height * features.width, (k + 1) * features.height * features.width);
  const smooth = [0, 1, 2].map(k => resizeMap(plane(k), features.height, features.width, height, width));
  const grey = greyOf(photo);
  const total = 3 * width + 2 * gap;
  const data = new Uint8Array(3 * total * height).fill(255);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const pixel = y * width + x;
      const cell =
        Math.floor((y * features.height) / height) * features.width + Math.floor((x * features.width) / width);
      for (let k = 0; k < 3; k++) {
        const over = colourShare * smooth[k]![pixel]! + (1 - colourShare) * grey[pixel]!;
        const panels = [photo.data[3 * pixel + k]!, over, plane(k)[cell]!];
        for (const [i, value] of panels.entries())
          data[3 * (y * total + i * (width + gap) + x) + k] = Math.round(value);
      }
    }
  }
  return { width: total, height, data };
}
