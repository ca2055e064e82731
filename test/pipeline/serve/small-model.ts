/** A published model small enough to know by heart: cluster 0 is red, 1 green, 2 blue; what is dark is background. */
import { nodeDigest } from '#adapters/local/node-digest';
import { toModel } from '#core/graph/model';
import { averagePool, conv, mul, reduceMax } from '#core/graph/ops';
import { constant, input } from '#core/graph/tensor';
import type { RgbImage } from '#core/image/rgb-image';
import { keys } from '#core/job/keys';
import { type ClassMap, defaultClasses, formatClassMap } from '#core/labels/class-map';
import type { Decision } from '#core/labels/decision';
import { Random } from '#core/random';
import { toJson } from '#pipeline/documents';
import type { ObjectStore } from '#pipeline/ports';

export interface SmallModel {
  readonly name?: string;
  readonly version?: string;
  /** More than 3: the others are mixtures of the colours. */
  readonly clusters?: number;
  readonly decision?: Decision['kind'];
  readonly classes?: ClassMap;
}

const colours = [1, 0, 0, 0, 1, 0, 0, 0, 1];

function network(clusters: number, decision: Decision['kind']): Uint8Array {
  const image = input('image', 'float32', ['N', 3, 'H', 'W']);
  const unit = mul(image, constant(Float32Array.of(1 / 255), [1]));
  const pooled = averagePool(unit, { kernel_shape: [4, 4], strides: [4, 4] });
  const random = new Random(5);
  const weights = Float32Array.from({ length: clusters * 3 }, (_, i) => colours[i] ?? 0.5 * random.uniform());
  const scores = conv(pooled, constant(weights, [clusters, 3, 1, 1]));
  const foreground = reduceMax(pooled, { axes: [1] });
  const outputs = { scores, ...(decision === 'threshold' && { foreground }) };
  return toModel({ name: 'small', inputs: [image], outputs });
}

export function smallModelFiles({
  name = 'small',
  version = 'v1',
  clusters = 3,
  decision = 'threshold',
  classes = defaultClasses(clusters),
}: SmallModel = {}): { onnx: Uint8Array; card: Uint8Array; classes: Uint8Array; sha256: string } {
  const onnx = network(decision === 'argmax' ? clusters + 1 : clusters, decision);
  const sha256 = nodeDigest.sha256(onnx);
  const card = {
    version: 1,
    name,
    modelVersion: version,
    created: '2026-01-02T03:04:05.000Z',
    clusters,
    decision:
      decision === 'argmax'
        ? { kind: decision }
        : { kind: decision, threshold: 0.4, upsample: 'bilinear', refine: null },
    inputs: { resize: { shorterSide: 64, multiple: 8, longestSide: 256 }, stride: 4 },
    hashes: { model: sha256 },
    backbone: 'none',
    method: 'selflabel',
    attention: { kind: 'none' },
    trainedOn: { images: 0 },
    licence: 'none',
  };
  return { onnx, card: toJson(card), classes: formatClassMap(classes), sha256 };
}

/** As `publish` does it: `current.json` last. */
export async function publishSmall(store: ObjectStore, model: SmallModel = {}): Promise<void> {
  const { name = 'small', version = 'v1' } = model;
  const { onnx, card, classes, sha256 } = smallModelFiles(model);
  await store.put(keys.model(name, version, 'model.onnx'), onnx);
  await store.put(keys.model(name, version, 'card.json'), card);
  await store.put(keys.model(name, version, 'classes.json'), classes);
  await store.put(keys.currentModel(name), toJson({ model: name, version, job: 'j', sha256 }));
}

/** Letters are pixels: r, g, b, and anything else black; each is painted `scale` times as large. */
export function painting(rows: readonly string[], scale = 16): RgbImage {
  const [width, height] = [rows[0]!.length * scale, rows.length * scale];
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const colour = 'rgb'.indexOf(rows[Math.floor(y / scale)]![Math.floor(x / scale)]!);
      if (colour >= 0) data[3 * (y * width + x) + colour] = 255;
    }
  }
  return { width, height, data };
}
