/**
 * The history beside the class map, `classes.history.json`: which classes each edit took away and which it put there.
 *
 *   [
 *   {"version":2,"edit":"rename 1 cat","removed":[{"id":1,"name":"class 1",…}],"added":[{"id":1,"name":"cat",…}]}
 *   ]
 *
 * A log that only grows. An entry carries the version it led to; an undo is an entry of its own that names the version it
 * took back, so versions never go down and an undo can be followed by another, further back.
 *
 * An entry is stored before the class map it leads to, so nothing is ever done that cannot be undone. If the edit then
 * comes to nothing because somebody else was faster, its entry stays, and is told from the other of the same version by
 * not fitting the classes there are.
 */
import * as z from 'zod';
import { PermanentError } from '../errors.ts';
import { type ClassMap, type LabelClass, labelClassSchema, withClasses } from './class-map.ts';

const entrySchema = z.object({
  /** Version that the edit led to. */
  version: z.int(),
  /** The edit in words, as typed: `merge 1 3`. */
  edit: z.string(),
  removed: z.array(labelClassSchema),
  added: z.array(labelClassSchema),
  /** The version that was taken back, if this is an undo. */
  undoes: z.int().optional(),
});

export type ClassHistoryEntry = z.infer<typeof entrySchema>;

/** Reads the history; none is an empty one. @throws PermanentError */
export function parseClassHistory(bytes: Uint8Array | undefined, file = 'classes.history.json'): ClassHistoryEntry[] {
  if (!bytes) return [];
  const remedy = `${file} is damaged; delete it to go on without undo`;
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new PermanentError(remedy, { cause });
  }
  const result = z.array(entrySchema).safeParse(json);
  if (!result.success) throw new PermanentError(remedy);
  return result.data;
}

/** The bytes of the history, one entry per line. */
export const formatClassHistory = (entries: readonly ClassHistoryEntry[]): Uint8Array =>
  new TextEncoder().encode(`[\n${entries.map(entry => JSON.stringify(entry)).join(',\n')}\n]\n`);

const saying = ({ id, name, clusters, color, ignore }: LabelClass) =>
  JSON.stringify([id, name, clusters, color, ignore]);

/** Classes of `some` that are not, in all they say, among `others`. */
function missing(some: readonly LabelClass[], others: readonly LabelClass[]): LabelClass[] {
  const said = new Set(others.map(saying));
  return some.filter(item => !said.has(saying(item)));
}

/** What an edit did. @param undoes the version it took back, if it is an undo */
export function historyEntry(edit: string, before: ClassMap, after: ClassMap, undoes?: number): ClassHistoryEntry {
  const [removed, added] = [missing(before.classes, after.classes), missing(after.classes, before.classes)];
  return { version: after.version, edit, removed, added, undoes } as ClassHistoryEntry;
}

/** Whether these classes can be what the entry led to. */
const leadsTo = ({ removed, added }: ClassHistoryEntry, { classes }: ClassMap): boolean =>
  missing(added, classes).length === 0 && missing(removed, classes).length === removed.length;

/**
 * Takes back the last edit that has not been taken back.
 * @returns the classes as they were before that edit, as a new version, and the entry that records the undo
 * @throws PermanentError if there is none
 */
export function undoEdit(
  map: ClassMap,
  history: readonly ClassHistoryEntry[],
): { map: ClassMap; entry: ClassHistoryEntry } {
  // Every version visited here has the classes of `map`: an undo gives back those from before what it took back.
  const entryFor = (version: number) => history.findLast(entry => entry.version === version && leadsTo(entry, map));
  let entry = entryFor(map.version);
  while (entry?.undoes !== undefined) entry = entryFor(entry.undoes - 1);
  if (!entry) throw new PermanentError('there is nothing to undo');
  const undone = withClasses(map.version + 1, [...missing(map.classes, entry.added), ...entry.removed]);
  return { map: undone, entry: historyEntry(`undo: ${entry.edit}`, map, undone, entry.version) };
}
