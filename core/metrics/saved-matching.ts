/** A matching as a file: `{"0": 0, "1": 17, "2": null, …}`, predicted id to class id; null: it stands for no class. */
import { PermanentError } from '#core/errors';
import type { LabelMap } from '#core/labels/label-map';
import type { Matching } from './matching.ts';
import type { BackgroundRule } from './tally.ts';

const highestId = 65_535;

/**
 * Where 0 is background, it stays background: the file may say so or leave it out.
 * @param name of the file, for messages and as the kind of the matching
 * @throws PermanentError if it is no such file
 */
export function readMatching(text: string, name: string, background: BackgroundRule): Matching {
  const classOf = new Map<number, number>();
  const unmatched: number[] = [];
  for (const [key, id] of Object.entries(parseObject(text, name))) {
    const predicted = Number(key);
    if (!/^\d+$/.test(key) || predicted > highestId || !(id === null || isId(id))) {
      throw new PermanentError(`${name}: "${key}": ${JSON.stringify(id)} is not a predicted id and a class id`);
    }
    if (id === null) unmatched.push(predicted);
    else classOf.set(predicted, id);
  }
  if (background === 'auto' && (classOf.get(0) ?? 0) !== 0) {
    throw new PermanentError(
      `${name} matches 0 to ${classOf.get(0)}, but 0 is background; use --background none or leave it out`,
    );
  }
  if (background === 'auto') classOf.set(0, 0);
  return { kind: name, classOf, unmatched: unmatched.filter(id => !classOf.has(id)), unique: true };
}

const isId = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= highestId;

function parseObject(text: string, name: string): Record<string, number | null> {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return parsed as Record<string, number | null>;
  } catch (cause) {
    throw new PermanentError(`${name} is not JSON; expected {"predicted id": class id, …}`, { cause });
  }
  throw new PermanentError(`${name} does not hold a matching; expected {"predicted id": class id, …}`);
}

/** Text of the file. @param unmatched predicted ids that stand for no class */
export const writeMatching = (matching: Readonly<Record<string, number>>, unmatched: readonly number[] = []): string =>
  `${JSON.stringify({ ...Object.fromEntries(unmatched.map(id => [id, null])), ...matching }, null, 2)}\n`;

/**
 * A matching with every label id 1 … K in it. Where there are as many classes as clusters, those that occurred nowhere get the classes
 * left over, in order, as any solution of the method's K × K assignment gives them one (method 5.1).
 * @param classes class ids that clusters may stand for
 */
export function completeMatching(
  matching: Readonly<Record<string, number>>,
  clusters: number,
  classes: readonly number[],
): { matching: Readonly<Record<string, number>>; unmatched: readonly number[] } {
  const missing = Array.from({ length: clusters }, (_, i) => i + 1).filter(id => !(id in matching));
  if (clusters > classes.length) return { matching, unmatched: missing };
  const taken = new Set(Object.values(matching));
  const left = classes.filter(id => !taken.has(id));
  return { matching: { ...matching, ...Object.fromEntries(missing.map((id, i) => [id, left[i]!])) }, unmatched: [] };
}

/** Every predicted id that a matching knows of, those without a class too. */
export const listedIds = ({ classOf, unmatched = [] }: Matching): number[] => [...classOf.keys(), ...unmatched];

/** Whether several predicted ids stand for one class. */
export const joinsIds = ({ classOf }: Matching): boolean => new Set(classOf.values()).size < classOf.size;

/**
 * The label map with class ids in place of predicted ids. What matches nothing gets an id above all classes.
 * Needed only where a matching joins regions, which changes boundaries.
 */
export function applyMatching(map: LabelMap, { classOf }: Matching): LabelMap {
  const ids = new Uint16Array(highestId + 1).fill(highestId);
  for (const [predicted, id] of classOf) ids[predicted] = id;
  return { ...map, data: map.data.map(id => ids[id]!) };
}
