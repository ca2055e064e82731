/** Whether decoding keeps all cores busy where the model costs next to nothing: processor time of stage embed by the clock. */
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { toModel } from '#core/graph/model';
import { averagePool } from '#core/graph/ops';
import { input } from '#core/graph/tensor';
import { dataFolder, requireData, runOn } from './data.ts';

const folder = '.bench/decoding';

/** Means over squares of 16 and 32 pixels. */
function cheapModel(): Uint8Array {
  const image = input('image', 'float32', ['N', 3, 'H', 'W']);
  const means = (side: number) => averagePool(image, { kernel_shape: [side, side], strides: [side, side] });
  return toModel({ name: 'means', inputs: [image], outputs: { fine: means(16), deep: means(32) } });
}

export async function decoding(): Promise<void> {
  requireData();
  mkdirSync(folder, { recursive: true });
  const backbone = `${folder}/means.onnx`;
  writeFileSync(backbone, cheapModel());
  const samples: { at: number; processor: number }[] = [];
  const timer = setInterval(() => {
    const { user, system } = process.cpuUsage();
    samples.push({ at: Date.now(), processor: (user + system) / 1e3 });
  }, 20);
  const out = `${folder}/out`;
  const { bound } = await runOn(`${dataFolder}/images/caltech101-a`, out, {
    backbone,
    attention: 'norm',
    clusters: 50,
  });
  clearInterval(timer);
  const finished = (stage: string) =>
    readdirSync(`${out}/jobs/local/done/${stage}`).map(
      name => statSync(`${out}/jobs/local/done/${stage}/${name}`).mtimeMs,
    );
  const [from, to] = [Math.max(...finished('attend')), Math.max(...finished('embed'))];
  const within = samples.filter(({ at }) => at >= from && at <= to);
  const [first, last] = [within[0]!, within.at(-1)!];
  const share = (last.processor - first.processor) / (last.at - first.at) / availableParallelism();
  console.log(
    `embed with a model that costs nothing: ${((to - from) / 1000).toFixed(1)} s, cores ${(100 * share).toFixed(0)} % busy; ${JSON.stringify(bound)}`,
  );
}
