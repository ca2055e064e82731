/** Small ViTs and ResNets as exporters write them: nodes in the form of the wanted opset, random weights. */
import {
  type AttributeProto,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
  writeModel,
} from '#core/graph/onnx';
import { Random } from '#core/random';

export type Side = number | string;

const int = (name: string, value: number): AttributeProto => ({ name, type: 2, i: BigInt(value) });
const ints = (name: string, ...values: number[]): AttributeProto => ({ name, type: 7, ints: values.map(BigInt) });
const float = (name: string, f: number): AttributeProto => ({ name, type: 1, f });
const text = (name: string, s: string): AttributeProto => ({ name, type: 3, s: new TextEncoder().encode(s) });

const codes = { float32: 1, uint8: 2, float16: 10 } as const;
export type InputType = keyof typeof codes;

/** The bits of the nearest float16, for numbers of ordinary size; what is too small becomes 0. */
export function halfBits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size < 2 ** -14) return sign;
  const exponent = Math.floor(Math.log2(size));
  const fraction = Math.round((size / 2 ** exponent - 1) * 1024);
  return sign | (((exponent + 15) << 10) + fraction);
}

export const valueInfo = (name: string, dims?: readonly Side[], elemType = 1): ValueInfoProto => ({
  name,
  type: {
    tensorType: {
      elemType,
      ...(dims && { shape: { dim: dims.map(d => (typeof d === 'number' ? { dimValue: d } : { dimParam: d })) } }),
    },
  },
});

/** Collects nodes and weights; floats are stored in one type. */
export class NetworkWriter {
  readonly nodes: NodeProto[] = [];
  readonly weights: TensorProto[] = [];
  readonly opset: number;
  readonly half: boolean;
  readonly #random = new Random(5);

  constructor(opset: number, half = false) {
    this.opset = opset;
    this.half = half;
  }

  node(opType: string, input: string[], ...attribute: AttributeProto[]): string {
    const output = `${opType}_${this.nodes.length}`;
    this.nodes.push({ opType, name: `/${output}`, input, output: [output], attribute });
    return output;
  }

  floats(dims: readonly number[], values: Float32Array): string {
    const name = `w${this.weights.length}`;
    const rawData = this.half
      ? new Uint8Array(Uint16Array.from(values, halfBits).buffer)
      : new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.weights.push({ name, dims, dataType: this.half ? 10 : 1, rawData });
    return name;
  }

  /** Normal numbers whose spread keeps activations of ordinary size. */
  random(...dims: number[]): string {
    const count = dims.reduce((a, b) => a * b, 1);
    const spread = 1 / Math.sqrt(Math.max(1, dims.length === 4 ? count / dims[0]! : dims[0]!));
    return this.floats(
      dims,
      Float32Array.from({ length: count }, () => spread * this.#random.normal()),
    );
  }

  filled(value: number, ...dims: number[]): string {
    return this.floats(dims, new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(value));
  }

  /** An empty float32 tensor. */
  nothing(): string {
    const name = `w${this.weights.length}`;
    this.weights.push({ name, dims: [0], dataType: 1, rawData: new Uint8Array(0) });
    return name;
  }

  integers(...values: number[]): string {
    const name = `w${this.weights.length}`;
    const rawData = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    this.weights.push({ name, dims: [values.length], dataType: 7, rawData });
    return name;
  }

  /** Mean over the last axis, kept: axes became an input with opset 18. */
  mean(x: string): string {
    return this.opset < 18
      ? this.node('ReduceMean', [x], ints('axes', -1), int('keepdims', 1))
      : this.node('ReduceMean', [x, this.integers(-1)], int('keepdims', 1));
  }

  /** One node from opset 17 on. */
  layerNorm(x: string, width: number): string {
    const [scale, bias] = [this.filled(1.25, width), this.filled(0.1, width)];
    if (this.opset >= 17)
      return this.node('LayerNormalization', [x, scale, bias], int('axis', -1), float('epsilon', 1e-5));
    const centred = this.node('Sub', [x, this.mean(x)]);
    const squares = this.node('Pow', [centred, this.filled(2)]);
    const spread = this.node('Sqrt', [this.node('Add', [this.mean(squares), this.filled(1e-5)])]);
    const unit = this.node('Div', [centred, spread]);
    return this.node('Add', [this.node('Mul', [unit, scale]), bias]);
  }

  /** One node from opset 20 on. */
  gelu(x: string): string {
    if (this.opset >= 20) return this.node('Gelu', [x]);
    const erf = this.node('Erf', [this.node('Div', [x, this.filled(Math.SQRT2)])]);
    const gate = this.node('Add', [erf, this.filled(1)]);
    return this.node('Mul', [this.node('Mul', [x, gate]), this.filled(0.5)]);
  }

  linear(x: string, from: number, to: number): string {
    return this.node('Add', [this.node('MatMul', [x, this.random(from, to)]), this.random(to)]);
  }

  model(input: ValueInfoProto[], output: ValueInfoProto[], irVersion = 10): Uint8Array<ArrayBuffer> {
    const graph: GraphProto = { name: 'net', node: this.nodes, initializer: this.weights, input, output };
    return writeModel({ irVersion, producerName: 'test', opsetImport: [{ version: this.opset }], graph });
  }
}

export interface VitOptions {
  readonly opset?: number;
  /** Numbers: the only size; names: any size, position embeddings are interpolated. */
  readonly height?: Side;
  readonly width?: Side;
  readonly batch?: Side;
  readonly registers?: number;
  readonly half?: boolean;
  readonly type?: InputType;
  readonly layout?: 'NCHW' | 'NHWC';
  readonly inputName?: string;
  /** What is declared: tokens N×T×C, or only class scores. */
  readonly output?: 'tokens' | 'scores';
  readonly irVersion?: number;
}

export const vitPatch = 8;
export const vitChannels = 16;
const heads = 2;
/** Side of the grid that position embeddings are stored for where sizes are free. */
const storedSide = 4;

/** The shape of x, one element of it, as a tensor of one number. */
const sizeAt = (net: NetworkWriter, x: string, axis: number) =>
  net.node('Gather', [net.node('Shape', [x]), net.integers(axis)], int('axis', 0));

function positionEmbeddings(net: NetworkWriter, patches: string, height: Side, width: Side): string {
  if (typeof height === 'number' && typeof width === 'number')
    return net.random(1, (height / vitPatch) * (width / vitPatch), vitChannels);
  const stored = net.random(1, vitChannels, storedSide, storedSide);
  const sizes = net.node(
    'Concat',
    [net.integers(1, vitChannels), sizeAt(net, patches, 2), sizeAt(net, patches, 3)],
    int('axis', 0),
  );
  const asHalf = net.half ? net.node('Cast', [stored], int('to', 1)) : stored;
  const how = [text('mode', 'cubic'), text('coordinate_transformation_mode', 'half_pixel')];
  // Opset 11 wants an empty region and empty scales where later ones leave them out.
  const [roi, scales] = net.opset < 13 ? [net.nothing(), net.nothing()] : ['', ''];
  const resized = net.node('Resize', [asHalf, roi, scales, sizes], ...how);
  const typed = net.half ? net.node('Cast', [resized], int('to', 10)) : resized;
  const flat = net.node('Reshape', [typed, net.integers(1, vitChannels, -1)]);
  return net.node('Transpose', [flat], ints('perm', 0, 2, 1));
}

function attention(net: NetworkWriter, x: string): string {
  const d = vitChannels / heads;
  const split = (perm: number[]) => {
    const y = net.node('Reshape', [net.linear(x, vitChannels, vitChannels), net.integers(0, -1, heads, d)]);
    return net.node('Transpose', [y], ints('perm', ...perm));
  };
  const [q, k, v] = [split([0, 2, 1, 3]), split([0, 2, 3, 1]), split([0, 2, 1, 3])];
  const scaled = net.node('Mul', [net.node('MatMul', [q, k]), net.filled(1 / Math.sqrt(d))]);
  const mixed = net.node('MatMul', [net.node('Softmax', [scaled], int('axis', net.opset < 13 ? 3 : -1)), v]);
  const merged = net.node('Reshape', [
    net.node('Transpose', [mixed], ints('perm', 0, 2, 1, 3)),
    net.integers(0, -1, vitChannels),
  ]);
  return net.linear(merged, vitChannels, vitChannels);
}

function block(net: NetworkWriter, x: string): string {
  const attended = net.node('Add', [x, attention(net, net.layerNorm(x, vitChannels))]);
  const wide = net.gelu(net.linear(net.layerNorm(attended, vitChannels), vitChannels, 4 * vitChannels));
  return net.node('Add', [attended, net.linear(wide, 4 * vitChannels, vitChannels)]);
}

/** Patches of 8 pixels, 16 channels, two blocks, one class token and registers in front. */
export function vit(options: VitOptions = {}): Uint8Array<ArrayBuffer> {
  const { opset = 17, height = 32, width = 48, batch = 1, registers = 0, half = false, layout = 'NCHW' } = options;
  const { type = half ? 'float16' : 'float32', inputName = 'pixels', output = 'tokens', irVersion = 8 } = options;
  const net = new NetworkWriter(opset, half);
  const typed =
    type === (half ? 'float16' : 'float32') ? inputName : net.node('Cast', [inputName], int('to', half ? 10 : 1));
  const image = layout === 'NCHW' ? typed : net.node('Transpose', [typed], ints('perm', 0, 3, 1, 2));
  const patches = net.node(
    'Conv',
    [image, net.random(vitChannels, 3, vitPatch, vitPatch)],
    ints('kernel_shape', vitPatch, vitPatch),
    ints('strides', vitPatch, vitPatch),
  );
  // As exporters do it: the size of the batch is baked in where it is fixed.
  const shape = net.integers(typeof batch === 'number' ? batch : 0, vitChannels, -1);
  const tokens = net.node('Transpose', [net.node('Reshape', [patches, shape])], ints('perm', 0, 2, 1));
  const placed = net.node('Add', [tokens, positionEmbeddings(net, patches, height, width)]);
  const extra = 1 + registers;
  const count = net.node(
    'Concat',
    [typeof batch === 'number' ? net.integers(batch) : sizeAt(net, image, 0), net.integers(extra, vitChannels)],
    int('axis', 0),
  );
  const front = net.node('Expand', [net.random(1, extra, vitChannels), count]);
  let x = net.node('Concat', [front, placed], int('axis', 1));
  for (let i = 0; i < 2; i++) x = block(net, x);
  const last = net.layerNorm(x, vitChannels);
  const head = net.node('Gather', [last, net.integers(0)], int('axis', 1));
  const scores = net.linear(net.node('Reshape', [head, net.integers(-1, vitChannels)]), vitChannels, 10);
  const sides: Side[] = layout === 'NCHW' ? [batch, 3, height, width] : [batch, height, width, 3];
  const elemType = half ? 10 : 1;
  const declared = output === 'tokens' ? [valueInfo(last, undefined, elemType)] : [];
  return net.model(
    [valueInfo(inputName, sides, codes[type])],
    [...declared, valueInfo(scores, [batch, 10], elemType)],
    irVersion,
  );
}

export interface ResnetOptions {
  readonly opset?: number;
  readonly half?: boolean;
  readonly height?: Side;
  readonly width?: Side;
  readonly batch?: Side;
  readonly irVersion?: number;
}

/** Strides 2 … 16 with 8 … 64 channels, one residual block each, pooled to ten class scores: nothing dense is declared. */
export function resnet({
  opset = 13,
  half = false,
  height = 64,
  width = 64,
  batch = 1,
  irVersion = 8,
}: ResnetOptions = {}) {
  const net = new NetworkWriter(opset, half);
  const conv = (x: string, from: number, to: number, stride: number, kernel = 3) => {
    const pad = (kernel - 1) / 2;
    const y = net.node(
      'Conv',
      [x, net.random(to, from, kernel, kernel)],
      ints('kernel_shape', kernel, kernel),
      ints('strides', stride, stride),
      ints('pads', pad, pad, pad, pad),
    );
    const [scale, shift, mean, variance] = [1, 0.1, 0.05, 0.9].map(value => net.filled(value, to));
    return net.node('BatchNormalization', [y, scale!, shift!, mean!, variance!], float('epsilon', 1e-3));
  };
  let x = net.node('Relu', [conv('image', 3, 8, 2)]);
  for (const [from, to] of [
    [8, 16],
    [16, 32],
    [32, 64],
  ] as const) {
    const inner = conv(net.node('Relu', [conv(x, from, to, 2)]), to, to, 1);
    x = net.node('Relu', [net.node('Add', [inner, conv(x, from, to, 2, 1)])]);
  }
  const flat = net.node('Flatten', [net.node('GlobalAveragePool', [x])], int('axis', 1));
  const scores = net.node('Gemm', [flat, net.random(64, 10), net.random(10)]);
  const elemType = half ? 10 : 1;
  return net.model(
    [valueInfo('image', [batch, 3, height, width], elemType)],
    [valueInfo(scores, [batch, 10], elemType)],
    irVersion,
  );
}
