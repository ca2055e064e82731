/** A small copy of ImageNet-S's layout: three classes, coloured discs on grey, masks as published. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { Random } from '#core/random';
import { rgb } from '../pipeline/id-pngs.ts';

export const wnids = ['n01443537', 'n01491361', 'n01531178'];
const [width, height] = [96, 72];

/** A disc of the class's colour; a rim of ignored pixels. */
function picture(random: Random, id: number) {
  const data = new Uint8Array(width * height * 3);
  const ids = new Uint16Array(width * height);
  const [x0, y0, radius] = [35 + random.integer(26), 28 + random.integer(16), 14 + random.integer(8)];
  for (let i = 0; i < ids.length; i++) {
    const far = Math.hypot((i % width) - x0, Math.floor(i / width) - y0);
    ids[i] = far < radius ? id : far < radius + 1 ? 1000 : 0;
    for (let c = 0; c < 3; c++) data[3 * i + c] = (far < radius ? (c === id - 1 ? 220 : 30) : 128) + random.integer(20);
  }
  return { image: { width, height, data }, mask: rgb({ width, height, data: ids }) };
}

/** @returns masks of the test images, which the layout itself withholds */
export async function writeSmallImageNetS(root: string): Promise<Map<string, Uint8Array>> {
  const codec = new SharpCodec();
  const random = new Random(50);
  const hidden = new Map<string, Uint8Array>();
  const write = (path: string, bytes: Uint8Array) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), bytes);
  };
  for (const [place, wnid] of wnids.entries()) {
    for (const [split, count] of [
      ['train', 4],
      ['train-semi', 2],
      ['validation', 2],
      ['test', 1],
    ] as const) {
      for (let i = 0; i < count; i++) {
        const name = `${wnid}/ILSVRC2012_${split}_0000000${place}${i}`;
        const { image, mask } = picture(random, place + 1);
        write(`${split}/${name}.JPEG`, await codec.encodeJpeg(image, 95));
        if (split === 'train-semi' || split === 'validation') write(`${split}-segmentation/${name}.png`, mask);
        if (split === 'test') hidden.set(`${name}.png`, mask);
      }
    }
  }
  return hidden;
}
