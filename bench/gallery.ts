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
  await drawMaps(`${folder}/images`, [`${folder}/masks`, `${out}/labels`], `${out}-gallery.png`);
}

/** A picture of photos, each with its label map from every one of the folders. @param count how many, spread over the photos */
export async function drawMaps(images: string, folders: readonly string[], file: string, count = shown): Promise<void> {
  const names = readdirSync(images).sort();
  const picked = names.filter((_, i) => i % Math.max(1, Math.floor(names.length / count)) === 0).slice(0, count);
  const columns = 1 + folders.length;
  const tiles: OverlayOptions[] = [];
  for (const [i, name] of picked.entries()) {
    const stem = name.replace(/\.[^.]+$/, '');
    const maps = folders.map(folder => coloured(`${folder}/${stem}.png`));
    const [left, top] = [(i % perRow) * columns * cell.width, Math.floor(i / perRow) * cell.height];
    for (const [column, input] of (await Promise.all([photo(`${images}/${name}`), ...maps])).entries())
      tiles.push({ input, left: left + column * cell.width, top });
  }
  const size = {
    width: Math.min(perRow, picked.length) * columns * cell.width,
    height: Math.ceil(picked.length / perRow) * cell.height,
  };
  mkdirSync('.bench', { recursive: true });
  const ground = sharp({ create: { ...size, channels: 3, background: '#222' } });
  writeFileSync(file, await ground.composite(tiles).png().toBuffer());
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
