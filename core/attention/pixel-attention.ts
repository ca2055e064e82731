/** Pixel attention as ONNX graphs: from a backbone's maps to a foreground score and an embedding per pixel. */
import { l2Normalize, resizeLike } from '../graph/layers.ts';
import { toModel } from '../graph/model.ts';
import {
  add,
  clip,
  concat,
  conv,
  div,
  equal,
  gather,
  matmul,
  mul,
  pad,
  reduceL2,
  reduceMean,
  reduceSum,
  reshape,
  shape,
  slice,
  squeeze,
  sub,
  topK,
  transpose,
  where,
} from '../graph/ops.ts';
import { constant, input, type Tensor } from '../graph/tensor.ts';

import { foregroundOf, type Gate, gatedFeatures, pooledThrough, type Reduction, upsampledFeatures } from './gate.ts';

/** The maps a backbone gives, coarse to fine names: `deep` carries the labels, `fine` the next finer stride, `doubled` the deep map of the doubled image. */
export type MapName = 'fine' | 'deep' | 'doubled';
export type BackboneMaps = { readonly [M in MapName]?: Tensor };

/** Vectors on the finest map's grid, one row of `projection` per output channel. */
export interface Projection {
  /** [outputs, channels], row-major; channels of the maps in the order of `mapOrder`. */
  readonly matrix: Float32Array;
  /** [outputs]. */
  readonly offset: Float32Array;
  readonly outputs: number;
}

/** What tells object from background. */
export type Foreground =
  /** A linear head on projected unit features (quality 7): score = w · l2(P x + p) + b. */
  | { readonly kind: 'head'; readonly projection: Projection; readonly weights: Float32Array; readonly bias: number }
  /** L2 norm of the deep features. */
  | { readonly kind: 'norm' }
  /** 1 − mean of the five largest cosines to the features of the image's border. */
  | { readonly kind: 'border' }
  /** The learned gate of the method, on the deep map upsampled four times: the mean over channels (method 2.2). */
  | { readonly kind: 'gate'; readonly gate: Gate; readonly reduction?: Reduction | undefined }
  /** Everything is foreground. */
  | { readonly kind: 'none' };

/** What pixels are compared by. */
export type Embedding =
  /** l2(P x + p) of the unit features, on the finest map's grid. */
  | { readonly kind: 'projected'; readonly projection: Projection }
  /** The deep map, upsampled four times (method 2.2), un-normalised; behind the reduction of the gate, if it has one. */
  | { readonly kind: 'upsampled' };

export interface Attention {
  readonly channels: { readonly [M in MapName]?: number };
  readonly foreground: Foreground;
  readonly embedding: Embedding;
  /** Scores that count as gate 0 and gate 1 when an image is pooled as a whole. */
  readonly gateRange: readonly [number, number];
  /** SHA-256 of the file of the network that it was fitted to, kept in the attention's file. */
  readonly backbone?: string;
}

/** The name of the network's SHA-256 in the metadata of an attention's file. */
export const backboneHashName = 'selflabel.backbone';

export const mapOrder = ['fine', 'deep', 'doubled'] as const;

const epsilon = 1e-12;

const presentNames = (maps: BackboneMaps): MapName[] => mapOrder.filter(name => maps[name]);

/** The finest of the maps: on its grid scores and embeddings lie. */
const finest = (maps: BackboneMaps): Tensor => maps[presentNames(maps)[0]!]!;

/** What `part` makes of each map's L2-normalised pixels, brought onto the finest map's grid. */
function onFinestGrid(maps: BackboneMaps, part: (unit: Tensor, name: MapName) => Tensor): Tensor[] {
  const grid = finest(maps);
  return presentNames(maps).map(name => {
    const made = part(l2Normalize(maps[name]!, 1, epsilon), name);
    return maps[name] === grid ? made : resizeLike(made, grid, 'linear');
  });
}

/** Each map L2-normalised per pixel, then brought onto the finest map's grid, one below the other: [N, C, h, w]. */
export function unitFeatures(maps: BackboneMaps): Tensor {
  const parts = onFinestGrid(maps, unit => unit);
  return parts.length === 1 ? parts[0]! : concat(parts, { axis: 1 });
}

/** The maps the foreground head looks at: the doubled image's deep map takes the place of the small one's (quality 2). */
export const headMaps = (maps: BackboneMaps): BackboneMaps =>
  maps.doubled && maps.fine ? { fine: maps.fine, doubled: maps.doubled } : maps;

/** Cosines between all positions of one image, of its unit features scaled to length one: [1, C, h, w] → [n, n]. */
export function gramMatrix(unit: Tensor): Tensor {
  const columns = squeeze(reshape(l2Normalize(unit, 1, epsilon), [1, 0, -1]), { axes: [0] });
  return matmul(transpose(columns, { perm: [1, 0] }), columns);
}

/** The attention file: maps in, `foreground` [N,1,h,w] and `embedding` [N,D,h,w] out, and `pooled` [N,D] where the embedding is upsampled. */
export function attentionModel(attention: Attention): Uint8Array {
  const inputs = mapOrder.flatMap(name => {
    const channels = attention.channels[name];
    return channels ? [{ name, tensor: input(name, 'float32', ['N', channels, `h_${name}`, `w_${name}`]) }] : [];
  });
  const maps: BackboneMaps = Object.fromEntries(inputs.map(({ name, tensor }) => [name, tensor]));
  const metadata: Record<string, string> =
    attention.backbone === undefined ? {} : { [backboneHashName]: attention.backbone };
  return toModel({ name: 'attention', inputs: inputs.map(i => i.tensor), outputs: attend(attention, maps), metadata });
}

function attend(attention: Attention, maps: BackboneMaps): Record<string, Tensor> {
  if (attention.embedding.kind === 'projected') {
    const embedding = l2Normalize(project(maps, attention.channels, attention.embedding.projection), 1, epsilon);
    return { foreground: foregroundScore(attention, maps), embedding };
  }
  if (attention.foreground.kind === 'gate') return gatedPaths(attention.foreground, maps);
  const embedding = upsampledFeatures(maps.deep!);
  const foreground = resizeLike(foregroundScore(attention, maps), embedding, 'linear');
  return { foreground, embedding, pooled: gatedPool(embedding, foreground, attention.gateRange) };
}

/** The paths "label" and "cluster" of the method (2.2): U and m, and GAP(U · a). */
function gatedPaths({ gate, reduction }: Foreground & { kind: 'gate' }, maps: BackboneMaps): Record<string, Tensor> {
  const { upsampled, gate: opened } = gatedFeatures(maps.deep!, gate, reduction);
  return { foreground: foregroundOf(opened), embedding: upsampled, pooled: pooledThrough(upsampled, opened) };
}

/** A score per position, higher is more likely an object: [N, 1, h, w]. */
export function foregroundScore(
  { foreground, channels }: Pick<Attention, 'foreground' | 'channels'>,
  maps: BackboneMaps,
): Tensor {
  switch (foreground.kind) {
    case 'head': {
      const hidden = l2Normalize(project(maps, channels, foreground.projection), 1, epsilon);
      const { weights, bias } = foreground;
      return conv(hidden, constant(weights, [1, weights.length, 1, 1]), constant(Float32Array.of(bias), [1]));
    }
    case 'norm':
      return resizeLike(reduceL2(maps.deep!, { axes: [1], keepdims: 1 }), finest(maps), 'linear');
    case 'border':
      return borderDistance(unitFeatures(maps));
    case 'gate':
      return resizeLike(
        foregroundOf(gatedFeatures(maps.deep!, foreground.gate, foreground.reduction).gate),
        finest(maps),
      );
    case 'none':
      return add(mul(reduceSum(l2Normalize(finest(maps), 1), { axes: [1], keepdims: 1 }), constant(0)), constant(1));
  }
}

/**
 * P x + p of the unit features x: [N, outputs, h, w]. Each map is projected on its own grid and resized afterwards, which
 * is the same, since both are linear, and spares a coarse map's many channels the way to the fine grid.
 */
export function project(
  maps: BackboneMaps,
  channels: Attention['channels'],
  { matrix, offset, outputs }: Projection,
): Tensor {
  const total = matrix.length / outputs;
  let first = 0;
  const parts = onFinestGrid(maps, (unit, name) => {
    const count = channels[name]!;
    const weights = constant(columnsOf(matrix, total, first, count), [outputs, count, 1, 1]);
    first += count;
    return first === count ? conv(unit, weights, constant(offset, [outputs])) : conv(unit, weights);
  });
  return parts.reduce((sum, part) => add(sum, part));
}

/** `count` columns of a matrix with `total`. */
function columnsOf(matrix: Float32Array, total: number, first: number, count: number): Float32Array {
  const rows = matrix.length / total;
  const part = new Float32Array(rows * count);
  for (let row = 0; row < rows; row++)
    part.set(matrix.subarray(row * total + first, row * total + first + count), row * count);
  return part;
}

/** v = GAP(U · a) with the gate a = the score mapped from `range` to 0…1 (method 2.2, path "cluster"): [N, D]. */
function gatedPool(features: Tensor, score: Tensor, [low, high]: readonly [number, number]): Tensor {
  const gate = clip(div(sub(score, constant(low)), constant(Math.max(high - low, 1e-6))), { min: 0, max: 1 });
  return reduceMean(mul(features, gate), { axes: [2, 3], keepdims: 0 });
}

/** Neighbours on the border that count. */
const borderNeighbours = 5;

/**
 * 1 − mean of the five largest cosines to the outermost ring of positions (quality 7). A ring position finds itself first
 * with cosine 1, so six neighbours are taken and the first is dropped there.
 */
function borderDistance(unit: Tensor): Tensor {
  const x = l2Normalize(unit, 1, epsilon);
  const flat = (part: Tensor) => reshape(part, [0, 0, -1]);
  const line = (axis: number, start: number, end: number) =>
    flat(slice(x, { starts: [start], ends: [end], axes: [axis] }));
  const last = 2 ** 31 - 1;
  const inner = (axis: number, at: number) => {
    const edge = slice(x, { starts: [at, 1], ends: [at === 0 ? 1 : last, -1], axes: [axis, 5 - axis] });
    return flat(edge);
  };
  const ring = concat([line(2, 0, 1), line(2, -1, last), inner(3, 0), inner(3, -1)], { axis: 2 });
  const cosines = matmul(transpose(flat(x), { perm: [0, 2, 1] }), ring);
  const [nearest] = topK(cosines, borderNeighbours + 1, { axis: 2 });
  const mean = (from: number) =>
    reduceMean(slice(nearest, { starts: [from], ends: [from + borderNeighbours], axes: [2] }), {
      axes: [2],
      keepdims: 1,
    });
  const grid = gatherGrid(x);
  const onGrid = (t: Tensor) => reshape(transpose(t, { perm: [0, 2, 1] }), grid);
  const distance = (from: number) => sub(constant(1), onGrid(mean(from)));
  return where(insideRing(x), distance(0), distance(1));
}

/** [N, 1, h, w] as a shape tensor. */
function gatherGrid(x: Tensor): Tensor {
  const dims = shape(x);
  const pick = (i: number) => gather(dims, constant(BigInt64Array.of(BigInt(i)), [1]), { axis: 0 });
  return concat([pick(0), constant(BigInt64Array.of(1n), [1]), pick(2), pick(3)], { axis: 0 });
}

/** True at positions that are not on the outermost ring: [N, 1, h, w]. */
function insideRing(x: Tensor): Tensor {
  const zeros = mul(reduceSum(x, { axes: [1], keepdims: 1 }), constant(0));
  const core = slice(add(zeros, constant(1)), { starts: [1, 1], ends: [-1, -1], axes: [2, 3] });
  const padded = pad(core, { pads: [0, 0, 1, 1, 0, 0, 1, 1] });
  return equal(padded, constant(1));
}
