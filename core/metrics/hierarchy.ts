/** Results at coarser levels: classes joined under their parents, by a parent map. */
import { PermanentError } from '../errors.ts';
import { emptyCounts } from './confusion.ts';
import { imageAccuracy } from './image-accuracy.ts';
import { iouPerClass, meanIou, meanIouOfPresent } from './iou.ts';
import { bothInside, countsPerPair } from './joint-counts.ts';
import { cellOf, type Tally, wholeImage } from './tally.ts';

/** Scores of one level. Boundaries are left out: those between classes of one parent are none at this level. */
export interface LevelMetrics {
  /** 1: the classes' parents, 2: their parents, … */
  readonly level: number;
  /** Background not among them. */
  readonly classes: number;
  /** Mean over background and all classes of the level; those that never occur count 0. */
  readonly miou: number;
  readonly miouForeground: number | null;
  readonly imageAccuracy: number;
  readonly perClass: readonly { readonly name: string; readonly iou: number; readonly pixels: number }[];
}

/** Name of each class's ancestor, by class id; background is not in it. */
export type Level = ReadonlyMap<number, string>;

/**
 * Levels of a file `{"child": "parent", …}`. A child is a class, by id or by name, or again a parent; so a chain gives a
 * level for each of its links. Classes without a parent at a level stay what they were below it.
 * @param names by class id; @param classes N: the classes are 1 … N
 * @throws PermanentError if it is no such file, goes in a circle, or says nothing about any class
 */
export function readHierarchy(
  text: string,
  file: string,
  names: ReadonlyMap<number, string>,
  classes: number,
): Level[] {
  const parents = parseParents(text, file);
  let level = new Map(
    Array.from({ length: classes }, (_, i): [number, string] => [i + 1, names.get(i + 1) ?? `class ${i + 1}`]),
  );
  const levels: Level[] = [];
  for (let first = true; ; first = false) {
    const above = new Map<number, string>();
    for (const [id, node] of level) {
      above.set(id, (first ? parents.get(String(id)) : undefined) ?? parents.get(node) ?? node);
    }
    if ([...above].every(([id, node]) => level.get(id) === node)) break;
    if (levels.length > parents.size)
      throw new PermanentError(`${file} goes in a circle; a class cannot be its own parent`);
    levels.push(above);
    level = above;
  }
  if (levels.length > 0) return levels;
  throw new PermanentError(`${file} names no parent of any class; its keys are class ids or names`);
}

function parseParents(text: string, file: string): Map<string, string> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new PermanentError(`${file} is not JSON; expected {"child": "parent", …}`, { cause });
  }
  const entries = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? Object.entries(parsed) : [];
  const wrong = entries.find(([, parent]) => typeof parent !== 'string' || parent === '');
  if (wrong || entries.length === 0) {
    throw new PermanentError(
      `${file}: ${wrong ? `the parent of "${wrong[0]}" is no name` : 'no parents'}; expected {"child": "parent", …}`,
    );
  }
  return new Map(entries);
}

/** Scores of each level, for predicted ids matched to the classes below. */
export const levelMetrics = (
  tally: Tally,
  classOf: ReadonlyMap<number, number>,
  levels: readonly Level[],
): LevelMetrics[] => levels.map((level, i) => ({ level: i + 1, ...measure(tally, classOf, level) }));

function measure(tally: Tally, classOf: ReadonlyMap<number, number>, level: Level): Omit<LevelMetrics, 'level'> {
  const names = [...new Set(level.values())].sort();
  const place = new Map(names.map((name, i) => [name, i + 1]));
  const coarse = (id: number) => (id === 0 ? 0 : place.get(level.get(id) ?? ''));
  const counts = emptyCounts(names.length + 1);
  for (const [key, at] of tally.cells.entries()) {
    const { predicted, truth, scope } = cellOf(key);
    if (scope !== wholeImage && truth === 0) continue;
    const pixels = pixelsOf(tally.cells.counts, at);
    const ofTruth = coarse(truth)!;
    const ofPrediction = coarse(classOf.get(predicted) ?? -1);
    counts.truth[ofTruth]! += pixels;
    if (ofPrediction === undefined) continue;
    counts.predicted[ofPrediction]! += pixels;
    if (ofPrediction === ofTruth) counts.both[ofTruth]! += pixels;
  }
  const ious = iouPerClass(counts);
  return {
    classes: names.length,
    miou: meanIou(counts),
    miouForeground: meanIouOfPresent(counts, 1),
    imageAccuracy: imageAccuracy(tally.facts, classOf, coarse),
    perClass: ['background', ...names].map((name, id) => ({ name, iou: ious[id]!, pixels: counts.truth[id]! })),
  };
}

function pixelsOf(counts: Float64Array, at: number): number {
  let pixels = 0;
  for (let i = bothInside; i < countsPerPair; i++) pixels += counts[at + i]!;
  return pixels;
}
