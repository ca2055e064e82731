/** How many classes `--clusters auto` finds where somebody has counted them. */
import { cpSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { sceneCategories } from '#core/scenes/categories';
import { writeSceneFolder } from '../cli/scene-folder.ts';
import { dataFolder, mobilenet, requireData, runOn } from './data.ts';

interface Counted {
  readonly name: string;
  readonly images: string;
  readonly categories: number | string;
  readonly backbone: string;
}

/** Every so many of Caltech's folders, copied. */
function someFolders(count: number): Counted {
  const all = `${dataFolder}/images/caltech101-a`;
  const names = readdirSync(all).sort();
  const images = `.bench/auto/caltech-${count}`;
  for (let i = 0; i < count; i++) {
    const name = names[Math.floor((i * names.length) / count)]!;
    cpSync(join(all, name), join(images, name), { recursive: true });
  }
  return { name: `Caltech-101, ${count} folders`, images, categories: count, backbone: mobilenet };
}

async function scenes(count: number): Promise<Counted> {
  const folder = `.bench/auto/scenes-${count}`;
  if (!existsSync(folder)) await writeSceneFolder(new SharpCodec(), folder, count, 7);
  const categories = sceneCategories.length;
  return { name: `${count} generated scenes`, images: `${folder}/images`, categories, backbone: 'filter-bank' };
}

export async function auto(): Promise<void> {
  requireData();
  const segmentation = (set: string, categories: number | string): Counted => ({
    name: set,
    images: `${dataFolder}/segmentation/${set}/images`,
    categories,
    backbone: mobilenet,
  });
  const sets = [
    segmentation('pets', '2 (37 breeds at most)'),
    await scenes(160),
    await scenes(400),
    segmentation('coco128', '71, many to a photo'),
    segmentation('ccp', '52 kinds of clothing, many to a photo'),
    someFolders(10),
    someFolders(25),
    someFolders(50),
  ];
  console.log('| photos | images | categories | found |\n|---|---|---|---|');
  for (const { name, images, categories, backbone } of sets) {
    const out = `.bench/auto/out ${name}`;
    const { clusters, images: counts } = await runOn(images, out, { clusters: 'auto', restarts: 1, backbone });
    console.log(`| ${name} | ${counts.total} | ${categories} | ${clusters} |`);
  }
}
