/** A matching as a file: `{"0": 0, "1": 17, …}`, predicted id to class id, as metrics.json holds it. */
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
  for (const [key, id] of Object.entries(parseObject(text, name))) {
    const predicted = Number(key);
    if (!/^\d+$/.test(key) || predicted > highestId || !Number.isInteger(id) || id < 0 || id > highestId) {
      throw new PermanentError(`${name}: "${key}": ${JSON.stringify(id)} is not a predicted id and a class id`);
    }
    classOf.set(predicted, id);
  }
  if (background === 'auto' && (classOf.get(0) ?? 0) !== 0) {
    throw new PermanentError(
      `${name} matches 0 to ${classOf.get(0)}, but 0 is background; use --background none or leave it out`,
    );
  }
  if (background === 'auto') classOf.set(0, 0);
  return { kind: name, classOf, unique: true };
}

function parseObject(text: string, name: string): Record<string, number> {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return parsed as Record<string, number>;
  } catch (cause) {
    throw new PermanentError(`${name} is not JSON; expected {"predicted id": class id, …}`, { cause });
  }
  throw new PermanentError(`${name} does not hold a matching; expected {"predicted id": class id, …}`);
}

/** Text of the file. */
export const writeMatching = (matching: Readonly<Record<string, number>>): string =>
  `${JSON.stringify(matching, null, 2)}\n`;

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
