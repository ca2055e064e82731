/** The published model alone, beside the label maps that came with it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { modelSize, toNchw } from '#core/image/model-input';
import type { Card } from '#core/labels/card';
import { decide, enlarged, type Maps } from './decision-reference.ts';
import { readIds, readJsonFile } from './result-folder.ts';

const codec = new SharpCodec();

/** The published model alone, in a session of its own, with the card's rule written from its definition. */
export async function shareOfEqualPixels(out: string, images: string, names: readonly string[]): Promise<number> {
  const session = await InferenceSession.create(join(out, 'model', 'model.onnx'));
  const { decision, inputs } = readJsonFile<Card>(out, 'model', 'card.json');
  let [equal, all] = [0, 0];
  for (const name of names) {
    const { image } = await codec.decode(readFileSync(join(images, name)));
    const size = modelSize(image, inputs.resize);
    const shrinks = size.width <= image.width && size.height <= image.height;
    const planes = shrinks ? toNchw(await codec.resize(image, size.width, size.height)) : enlarged(image, size);
    const dims = [1, 3, size.height, size.width];
    const { scores, foreground } = await session.run({ image: new Tensor('float32', planes, dims) });
    const labels = decide(decision, mapsOf(scores!), mapsOf(foreground!), image);
    const { ids } = await readIds(out, 'labels', name.replace(/\.\w+$/, '.png'));
    equal += labels.filter((label, i) => label === ids[i]).length;
    all += ids.length;
  }
  await session.release();
  return equal / all;
}

const mapsOf = ({ data, dims }: Tensor): Maps => ({
  data: data as Float32Array,
  channels: dims[1]!,
  height: dims[2]!,
  width: dims[3]!,
});
