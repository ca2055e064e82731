/** Edits of the class map: rename, merge, split, ignore. Each returns a new map, one version later; label maps stay as they are. */
import { UsageError } from '../errors.ts';
import { type ClassMap, defaultClass, type LabelClass, nameProblem, withClasses } from './class-map.ts';
import { type ClusterId, labelOfCluster } from './label-id.ts';

const mostListed = 20;

/** What there is, for messages. */
function listed(classes: readonly LabelClass[]): string {
  const names = classes.slice(0, mostListed).map(({ id, name }) => `${id} “${name}”`);
  const more = classes.length - names.length;
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Finds by name: exactly, else without regard to case if that is one class only. */
function classNamed(classes: readonly LabelClass[], name: string): LabelClass | undefined {
  const exact = classes.find(item => item.name === name);
  if (exact) return exact;
  const alike = classes.filter(item => item.name.toLowerCase() === name.toLowerCase());
  return alike.length === 1 ? alike[0] : undefined;
}

/**
 * The class that a reference means: `3` or `#3` is an id, anything else a name.
 * @throws UsageError listing the classes there are; also if `3` is the id of one class and the name of another
 */
export function findClass({ classes }: ClassMap, reference: string): LabelClass {
  const text = reference.trim().normalize('NFC');
  const [, hash, digits] = /^(#?)(\d+)$/.exec(text) ?? [];
  const byId = digits === undefined ? undefined : classes.find(item => item.id === Number(digits));
  const byName = hash === '#' ? undefined : classNamed(classes, text);
  if (byId && byName && byId !== byName) {
    throw new UsageError(
      `${text} is the id of “${byId.name}” and the name of class ${byName.id}; write #${byId.id} or #${byName.id}`,
    );
  }
  const found = byId ?? byName;
  if (!found) throw new UsageError(`there is no class ${text}; there are ${listed(classes)}`);
  return found;
}

/** A name as it is stored. @throws UsageError if it is no name, or another class has it */
function checkedName({ classes }: ClassMap, name: string, own: readonly LabelClass[]): string {
  const text = name.trim().normalize('NFC');
  const problem = nameProblem(text);
  if (problem) throw new UsageError(problem);
  const other = classes.find(item => item.name === text && !own.includes(item));
  if (other) throw new UsageError(`class ${other.id} has the name “${text}” already; to join the two, merge them`);
  return text;
}

/** The map with some classes replaced by others, one version later. */
const replaced = (map: ClassMap, old: readonly LabelClass[], now: readonly LabelClass[]): ClassMap =>
  withClasses(map.version + 1, [...map.classes.filter(item => !old.includes(item)), ...now]);

/** Gives a class another name. @throws UsageError */
export function renameClass(map: ClassMap, reference: string, name: string): ClassMap {
  const item = findClass(map, reference);
  return replaced(map, [item], [{ ...item, name: checkedName(map, name, [item]) }]);
}

/**
 * Joins classes into the first of them, which keeps its id, colour and, unless one is given, its name.
 * @throws UsageError if fewer than two different classes are meant
 */
export function mergeClasses(map: ClassMap, references: readonly string[], name?: string): ClassMap {
  const items = [...new Set(references.map(reference => findClass(map, reference)))];
  const [first] = items;
  if (!first || items.length < 2) throw new UsageError('merging needs two different classes or more');
  const joined = {
    ...first,
    name: name === undefined ? first.name : checkedName(map, name, items),
    clusters: items.flatMap(item => item.clusters),
  };
  return replaced(map, items, [joined]);
}

/** A free id for a class split off: the label id of one of its clusters if none has taken it, else of one it leaves, else a new one. */
function freeId({ classes }: ClassMap, taken: readonly ClusterId[], left: readonly ClusterId[]): number {
  const used = new Set(classes.map(item => item.id));
  const own = [...taken, ...left].map(cluster => labelOfCluster(cluster) as number).find(id => !used.has(id));
  return own ?? Math.max(...used) + 1;
}

/** A name nobody has: the default one, numbered if need be. */
function freeName({ classes }: ClassMap, name: string): string {
  const used = new Set(classes.map(item => item.name));
  let free = name;
  for (let i = 2; used.has(free); i++) free = `${name} (${i})`;
  return free;
}

/**
 * Takes clusters out of a class into a class of their own.
 * @throws UsageError if the class does not hold them, or would be left with none
 */
export function splitClass(map: ClassMap, reference: string, clusters: readonly number[], name?: string): ClassMap {
  const item = findClass(map, reference);
  const stranger = clusters.find(cluster => !item.clusters.includes(cluster as ClusterId));
  if (stranger !== undefined) {
    throw new UsageError(
      `class ${item.id} “${item.name}” does not hold cluster ${stranger}; it holds ${item.clusters.join(', ')}`,
    );
  }
  const taken = item.clusters.filter(cluster => clusters.includes(cluster));
  const left = item.clusters.filter(cluster => !clusters.includes(cluster));
  if (taken.length === 0) throw new UsageError('name the clusters to take out');
  if (left.length === 0) {
    throw new UsageError(`class ${item.id} “${item.name}” must keep a cluster; it holds ${item.clusters.join(', ')}`);
  }
  const fresh = defaultClass(taken, freeId(map, taken, left));
  const split = {
    ...fresh,
    name: name === undefined ? freeName(map, fresh.name) : checkedName(map, name, []),
    ignore: item.ignore,
  };
  return replaced(map, [item], [{ ...item, clusters: left }, split]);
}

/** Leaves classes out of exports, or takes them in again. @throws UsageError if all of them are so already */
export function ignoreClasses(map: ClassMap, references: readonly string[], ignore: boolean): ClassMap {
  const items = references.map(reference => findClass(map, reference)).filter(item => item.ignore !== ignore);
  if (items.length === 0) throw new UsageError(ignore ? 'ignored already' : 'not ignored');
  return replaced(
    map,
    items,
    items.map(item => ({ ...item, ignore })),
  );
}
