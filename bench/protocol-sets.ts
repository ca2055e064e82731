/** The photo sets cut into parts as the protocols need them: to train on, to match on, to measure on. */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { dataFolder } from './data.ts';

/** As ImageNet-S names its folders; each has its masks beside it, in `<part>-segmentation`. */
export const parts = ['train', 'validation', 'test'] as const;
export type Part = (typeof parts)[number];

/**
 * The rule: photos in the order of the SHA-256 of their file names. The first half is to train on, the next quarter to match on, the
 * rest to measure on (halves and quarters rounded down). It needs no list, and does not follow the order of names.
 */
export function cut(names: readonly string[]): Record<Part, readonly string[]> {
  const order = new Map(names.map(name => [name, createHash('sha256').update(name).digest('hex')]));
  const mixed = [...names].sort((a, b) => (order.get(a)! < order.get(b)! ? -1 : 1));
  const [first, second] = [Math.floor(mixed.length / 2), Math.floor((3 * mixed.length) / 4)];
  return { train: mixed.slice(0, first), validation: mixed.slice(first, second), test: mixed.slice(second) };
}

/** Writes the parts of a set below `root`, with its list of classes. @returns how many photos each part has */
export function writeParts(set: string, root: string): Record<Part, number> {
  const from = join(dataFolder, 'segmentation', set);
  const named = cut(readdirSync(join(from, 'images')).sort());
  for (const part of parts) {
    mkdirSync(join(root, part), { recursive: true });
    mkdirSync(join(root, `${part}-segmentation`), { recursive: true });
    for (const name of named[part]) {
      const mask = `${name.slice(0, name.lastIndexOf('.'))}.png`;
      copy(join(from, 'images', name), join(root, part, name));
      copy(join(from, 'masks', mask), join(root, `${part}-segmentation`, mask));
    }
  }
  copy(join(from, 'categories.txt'), join(root, 'categories.txt'));
  return { train: named.train.length, validation: named.validation.length, test: named.test.length };
}

/** Once: a file written anew would count as another. */
const copy = (from: string, to: string) => void (existsSync(to) || copyFileSync(from, to));
