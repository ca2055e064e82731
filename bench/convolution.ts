/** Forward pass and gradients of one convolution in each form, per shape: what `convolution-gradients.ts` chooses by. */
import ort from 'onnxruntime-node';
import {
  type Convolution,
  inputForm,
  inputGradient,
  kernelForm,
  kernelGradient,
  possibleInputForms,
  possibleKernelForms,
} from '#core/graph/convolution-gradients';
import { fasterForms } from '#core/graph/faster-forms';
import { toModel } from '#core/graph/model';
import { conv } from '#core/graph/ops';
import { type InputTensor, input, type Tensor } from '#core/graph/tensor';

interface Shape {
  readonly batch: number;
  readonly size: number;
  readonly channels: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly group?: number;
}

const shapes: readonly Shape[] = [
  { batch: 16, size: 64, channels: 64, outputs: 64, kernel: 3 },
  { batch: 16, size: 112, channels: 3, outputs: 64, kernel: 7, stride: 2 },
  { batch: 16, size: 112, channels: 3, outputs: 32, kernel: 3, stride: 2 },
  { batch: 16, size: 28, channels: 64, outputs: 128, kernel: 3, stride: 2 },
  { batch: 16, size: 14, channels: 128, outputs: 128, kernel: 3 },
  { batch: 16, size: 7, channels: 256, outputs: 512, kernel: 3, stride: 2 },
  { batch: 16, size: 4, channels: 512, outputs: 512, kernel: 3 },
  { batch: 16, size: 28, channels: 64, outputs: 256, kernel: 1 },
  { batch: 16, size: 28, channels: 64, outputs: 128, kernel: 1, stride: 2 },
  { batch: 16, size: 28, channels: 144, outputs: 144, kernel: 3, group: 144 },
  { batch: 16, size: 28, channels: 144, outputs: 144, kernel: 3, stride: 2, group: 144 },
  { batch: 16, size: 14, channels: 96, outputs: 96, kernel: 7, group: 96 },
];

const title = ({ batch, size, channels, outputs, kernel, stride = 1, group = 1 }: Shape) =>
  `${batch}x${channels}x${size}x${size}, ${kernel}x${kernel} to ${outputs}, stride ${stride}, group ${group}`;

function convolutionOf({ batch, size, channels, outputs, kernel, stride = 1, group = 1 }: Shape) {
  const edge = Math.floor(kernel / 2);
  const settings = { strides: [stride, stride], pads: [edge, edge, edge, edge], dilations: [1, 1], group };
  const x = input('x', 'float32', [batch, channels, size, size]);
  const w = input('w', 'float32', [outputs, channels / group, kernel, kernel]);
  const y = conv(x, w, undefined, settings);
  const g = input('g', 'float32', y.dims);
  return { y, inputs: { x, w, g }, seen: { x, w, g, settings } satisfies Convolution };
}

function noise({ name, dims }: InputTensor): [string, ort.Tensor] {
  const sizes = dims as readonly number[];
  const data = Float32Array.from({ length: sizes.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i));
  return [name, new ort.Tensor('float32', data, sizes)];
}

/** Milliseconds of the fastest of several runs, as a step runs it. */
async function milliseconds(y: Tensor, inputs: readonly InputTensor[]): Promise<number> {
  const [result] = fasterForms([y]) as [Tensor];
  const session = await ort.InferenceSession.create(toModel({ name: 'convolution', inputs, outputs: { result } }), {
    logSeverityLevel: 3,
    enableMemPattern: false,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
  const feeds = Object.fromEntries(inputs.map(noise));
  let best = Number.POSITIVE_INFINITY;
  for (const started = performance.now(), runs = [0]; runs[0]! < 3 || performance.now() - started < 300; runs[0]!++) {
    const before = performance.now();
    await session.run(feeds);
    best = Math.min(best, performance.now() - before);
  }
  await session.release();
  return best;
}

async function measure(shape: Shape): Promise<void> {
  const { y, inputs, seen } = convolutionOf(shape);
  const { x, w, g } = inputs;
  const forward = await milliseconds(y, [x, w]);
  const line = (name: string, time: number) => console.log(`  ${name.padEnd(16)} ${(time / forward).toFixed(2)}`);
  console.log(`${title(shape)}: forward ${forward.toFixed(2)} ms; times forward, * chosen:`);
  for (const form of possibleInputForms(seen)) {
    const chosen = form === inputForm(seen) ? ' *' : '';
    line(`dX ${form}${chosen}`, await milliseconds(inputGradient(seen, form), [w, g]));
  }
  for (const form of possibleKernelForms(seen)) {
    const chosen = form === kernelForm(seen) ? ' *' : '';
    line(`dW ${form}${chosen}`, await milliseconds(kernelGradient(seen, form), [x, g]));
  }
}

/** `npm run bench -- convolution`. */
export async function convolution(): Promise<void> {
  for (const shape of shapes) await measure(shape);
}
