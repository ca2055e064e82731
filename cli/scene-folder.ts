/** Writes generated scenes as a folder of photos with exact masks beside it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { encodeIndexPng } from '#core/formats/png-index';
import { sceneCategories } from '#core/scenes/categories';
import { scene } from '#core/scenes/scene';
import type { ImageCodec } from '#pipeline/ports';

const squeeze = promisify(deflate);

/** `<folder>/images/0001.jpg`, `<folder>/masks/0001.png` and `<folder>/categories.txt`. */
export async function writeSceneFolder(images: ImageCodec, folder: string, count: number, seed: number): Promise<void> {
  for (const part of ['images', 'masks']) mkdirSync(join(folder, part), { recursive: true });
  for (let i = 0; i < count; i++) {
    const { image, classes } = scene(seed * 100_000 + i);
    const name = String(i).padStart(4, '0');
    writeFileSync(join(folder, 'images', `${name}.jpg`), await images.encodeJpeg(image, 92));
    const mask = await encodeIndexPng(classes, {
      highest: sceneCategories.length,
      deflate: async bytes => squeeze(bytes),
    });
    writeFileSync(join(folder, 'masks', `${name}.png`), mask);
  }
  writeFileSync(join(folder, 'categories.txt'), sceneCategories.map((name, i) => `${i + 1}\t${name}\n`).join(''));
}
