/** The whole run beside its ceiling: bare decoding and bare model runs of the same images, once per pass, in the same process. */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { modelSize, productSizeRule } from '#core/image/model-input';
import { mapInOrder } from '#pipeline/in-flight';
import type { Model } from '#pipeline/ports';
import { dataFolder, mobilenet, requireData, runOn } from './data.ts';

const attendSample = 150;

export async function throughput(): Promise<void> {
  requireData();
  const folder = `${dataFolder}/images/caltech101-a`;
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => /\.jpe?g$/i.test(name))
    .map(name => join(folder, name));
  const bare = await bareRates(files);
  const before = process.cpuUsage();
  const { seconds, images, imagesPerSecond } = await runOn(folder, '.bench/throughput', { clusters: 50 });
  const runCpu = cpuSecondsSince(before);
  const again = await bareRates(files);
  const perPass = (bare.decodeSeconds + bare.modelSeconds + again.decodeSeconds + again.modelSeconds) / 2;
  const passes = 2 + Math.min(attendSample, images.total) / images.total;
  console.log(
    `bare decoding ${rate(files, bare.decodeSeconds)} and ${rate(files, again.decodeSeconds)} images/s, bare model ${rate(files, bare.modelSeconds)} and ${rate(files, again.modelSeconds)} images/s (before and after the run)`,
  );
  console.log(
    `stages in seconds: ${Object.entries(seconds)
      .map(([stage, value]) => `${stage} ${value.toFixed(1)}`)
      .join(', ')}; embed ${imagesPerSecond.embed}, label ${imagesPerSecond.label} images/s`,
  );
  console.log(
    `ceiling of ${passes.toFixed(2)} passes ${(images.total / (passes * perPass)).toFixed(2)} images/s, run ${(images.total / seconds.total).toFixed(2)} images/s: ratio ${((passes * perPass) / seconds.total).toFixed(3)}`,
  );
  const perPassCpu = (bare.cpuSeconds + again.cpuSeconds) / 2;
  console.log(
    `in processor time, which other programs do not change: bare ${((1000 * perPassCpu) / images.total).toFixed(1)} ms per image and pass, run ${((1000 * runCpu) / images.total).toFixed(1)} ms per image in all: ratio ${((passes * perPassCpu) / runCpu).toFixed(3)}`,
  );
}

function cpuSecondsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

const rate = (files: readonly string[], seconds: number): string => (files.length / seconds).toFixed(1);

async function bareRates(
  files: readonly string[],
): Promise<{ decodeSeconds: number; modelSeconds: number; cpuSeconds: number }> {
  const before = process.cpuUsage();
  const codec = new SharpCodec();
  const threads = availableParallelism();
  const shapes: { width: number; height: number }[] = [];
  const decodeStart = performance.now();
  const decode = (file: string) => codec.decode(readFileSync(file), shown => modelSize(shown, productSizeRule));
  for await (const { image } of mapInOrder(files, threads * 3, decode))
    shapes.push({ width: image.width, height: image.height });
  const decodeSeconds = (performance.now() - decodeStart) / 1000;
  const runtime = new OnnxRuntime();
  const model = await runtime.load(readFileSync(mobilenet), { sessions: threads, threadsPerSession: 1 });
  const modelStart = performance.now();
  for await (const _ of mapInOrder(shapes, threads, shape => runBare(model, shape)));
  const modelSeconds = (performance.now() - modelStart) / 1000;
  await runtime.close();
  return { decodeSeconds, modelSeconds, cpuSeconds: cpuSecondsSince(before) };
}

/** Ready tensors, made once per shape. */
const ready = new Map<string, Float32Array[]>();

async function runBare(model: Model, { width, height }: { width: number; height: number }): Promise<void> {
  const key = `${height}x${width}`;
  const free = ready.get(key) ?? [];
  ready.set(key, free);
  const data = free.pop() ?? new Float32Array(3 * height * width).fill(0.5);
  const { feeds } = await model.run({ [model.inputs[0]!]: { type: 'float32', dims: [1, 3, height, width], data } });
  free.push(Object.values(feeds)[0]!.data as Float32Array);
}
