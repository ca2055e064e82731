/**
 * The history beside the class map, `classes.history.json`: what was done, and how the classes were before.
 *
 * A log that only grows. An entry carries the version it led to; an undo is an entry of its own that names the version it
 * took back, so versions never go down and an undo can be followed by another, further back. An entry is stored before
 * the class map it leads to, so nothing is ever done that cannot be undone; if the edit then comes to nothing because
 * somebody else was faster, the entry left over says the same about the state before as the other's.
 */
import { z } from 'zod';
import { PermanentError } from '../errors.ts';
import { type ClassMap, formatClassMap, type LabelClass, parseClassMap, withClasses } from './class-map.ts';

export interface ClassHistoryEntry {
  /** Version that the edit led to. */
  readonly version: number;
  /** The edit in words, as typed: `merge 1 3`. */
  readonly edit: string;
  /** Classes before it. */
  readonly before: readonly LabelClass[];
  /** The version that was taken back, if this is an undo. */
  readonly undoes?: number;
}

const schema = z.array(
  z.object({ version: z.int(), edit: z.string(), before: z.unknown(), undoes: z.int().optional() }),
);

const decoder = new TextDecoder();

/** Reads the history; none is an empty one. @throws PermanentError */
export function parseClassHistory(bytes: Uint8Array | undefined, file = 'classes.history.json'): ClassHistoryEntry[] {
  if (!bytes) return [];
  const remedy = `${file} is damaged; delete it to go on without undo`;
  let json: unknown;
  try {
    json = JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new PermanentError(remedy, { cause });
  }
  const result = schema.safeParse(json);
  if (!result.success) throw new PermanentError(remedy);
  return result.data.map(entry => {
    const text = JSON.stringify({ version: 1, classes: entry.before });
    return { ...entry, before: parseClassMap(new TextEncoder().encode(text), file).classes };
  });
}

/** The bytes of the history, one entry per line. */
export function formatClassHistory(entries: readonly ClassHistoryEntry[]): Uint8Array {
  const lines = entries.map(({ version, edit, before, undoes }) => {
    const { classes } = JSON.parse(decoder.decode(formatClassMap({ version, classes: before })));
    return JSON.stringify({ version, edit, undoes, before: classes });
  });
  return new TextEncoder().encode(`[\n${lines.join(',\n')}\n]\n`);
}

/** The history with one more entry; an earlier entry for the same version was never carried out. */
export const withEntry = (history: readonly ClassHistoryEntry[], entry: ClassHistoryEntry): ClassHistoryEntry[] => [
  ...history.filter(({ version }) => version < entry.version),
  entry,
];

/**
 * Takes back the last edit that has not been taken back.
 * @returns the class map before that edit, as a new version, and the entry that records the undo
 * @throws PermanentError if there is none
 */
export function undoEdit(
  map: ClassMap,
  history: readonly ClassHistoryEntry[],
): { map: ClassMap; entry: ClassHistoryEntry } {
  const entryOf = (version: number) => history.findLast(entry => entry.version === version);
  let version = map.version;
  let entry = entryOf(version);
  while (entry?.undoes !== undefined) {
    version = entry.undoes - 1;
    entry = entryOf(version);
  }
  if (!entry) throw new PermanentError('there is nothing to undo');
  const undone = withClasses(map.version + 1, entry.before);
  return {
    map: undone,
    entry: { version: undone.version, edit: `undo: ${entry.edit}`, before: map.classes, undoes: version },
  };
}
