/** Twenty images of a set beside their ground truth and our label maps, as one picture to look at. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import sharp, { type OverlayOptions } from 'sharp';
import { decodeIndexPng } from '#core/formats/png-index';
import { colourOf } from '#core/labels/palette';
import { dataFolder } from './data.ts';

const cell = { width: 160, height: 160 };
const shown = 20;
const perRow = 4;

/** Writes `<out>-gallery.png`: image, ground truth, labels; colours of classes and of clusters are unrelated. */
export async function drawGallery(set: string, out: string): Promise<void> {
  const folder = `${dataFolder}/segmentation/${set}`;
  const names = readdirSync(`${folder}/images`).sort();
  const picked = names.filter((_, i) => i % Math.max(1, Math.floor(names.length / shown)) === 0).slice(0, shown);
  const tiles: OverlayOptions[] = [];
  for (const [i, name] of picked.entries()) {
    const stem = name.replace(/\.[^.]+$/, '');
    const parts = [
      await photo(`${folder}/images/${name}`),
      await coloured(`${folder}/masks/${stem}.png`),
      await coloured(`${out}/labels/${stem}.png`),
    ];
    for (const [column, input] of parts.entries()) {
      tiles.push({ input, left: ((i % perRow) * 3 + column) * cell.width, top: Math.floor(i / perRow) * cell.height });
    }
  }
  const size = { width: perRow * 3 * cell.width, height: Math.ceil(picked.length / perRow) * cell.height };
  mkdirSync('.bench', { recursive: true });
  writeFileSync(
    `${out}-gallery.png`,
    await sharp({ create: { ...size, channels: 3, background: '#222' } })
      .composite(tiles)
      .png()
      .toBuffer(),
  );
}

const fit = { ...cell, fit: 'contain', background: '#222' } as const;

const photo = (file: string) => sharp(file).rotate().resize(fit).png().toBuffer();

async function coloured(file: string): Promise<Buffer> {
  const { width, height, ids } = await decodeIndexPng(readFileSync(file), async bytes => inflateSync(bytes));
  const rgb = new Uint8Array(ids.length * 3);
  ids.forEach((id, i) => {
    rgb.set(id === 255 ? [255, 255, 255] : colourOf(id), i * 3);
  });
  return sharp(rgb, { raw: { width, height, channels: 3 } })
    .resize({ ...fit, kernel: 'nearest' })
    .png()
    .toBuffer();
}
