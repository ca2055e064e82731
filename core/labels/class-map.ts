/**
 * The class map, `classes.json`: the user's own names, merges and ignores for the clusters that were found.
 *
 *   {"version":1,"classes":[
 *     {"id":1,"name":"cat","clusters":[0,4],"color":"#e6194b","ignore":false},
 *     {"id":2,"name":"class 2","clusters":[1],"color":"#3cb44b","ignore":true}
 *   ]}
 *
 * Label maps keep the labels of clusters for ever (label id = cluster id + 1). What users see and exports hold is the
 * class id: here labels 1 and 5 are class 1, and label 2 becomes background because class 2 is ignored.
 */
import { PermanentError } from '../errors.ts';
import * as z from '../small-schema.ts';
import { type ClusterId, labelOfCluster } from './label-id.ts';
import type { LabelMap } from './label-map.ts';
import { hexOf } from './palette.ts';

export interface LabelClass {
  /** 1 … 65535; what exports hold in place of the label ids. */
  readonly id: number;
  /** Unique within the map. */
  readonly name: string;
  /** Each cluster belongs to at most one class. */
  readonly clusters: readonly ClusterId[];
  /** `#rrggbb` */
  readonly color: string;
  /** Left out of exports: its pixels become background. */
  readonly ignore: boolean;
}

export interface ClassMap {
  /** Grows by one with every edit. */
  readonly version: number;
  /** By id, ascending. */
  readonly classes: readonly LabelClass[];
}

const highestId = 65535;
const longestName = 200;

/** What is wrong with a class name, or undefined. @param name trimmed, NFC */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'a class needs a name';
  if ([...name].length > longestName) return `a class name has at most ${longestName} characters`;
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(name)) return 'a class name is one line without control characters';
  if (name.toLowerCase() === 'background') {
    return '“background” is the name of id 0; to turn a class into background, ignore it';
  }
  return undefined;
}

/** One class as JSON. */
export const labelClassSchema = z.object({
  id: z.int().check(z.minimum(1), z.maximum(highestId)),
  name: z.string().check(z.trim(), z.normalize('NFC')),
  clusters: z.pipe(
    z.array(z.int().check(z.minimum(0), z.maximum(highestId - 1))),
    z.transform(list => list as ClusterId[]),
  ),
  color: z.string().check(z.regex(/^#[0-9a-fA-F]{6}$/, 'must look like #rrggbb'), z.toLowerCase()),
  ignore: z._default(z.boolean(), false),
});

const schema = z.object({ version: z.int().check(z.minimum(1)), classes: z.array(labelClassSchema) });

/** The first value that occurs twice. */
function repeated<T>(values: readonly T[]): T | undefined {
  const seen = new Set<T>();
  return values.find(value => seen.size === seen.add(value).size);
}

/** What the schema cannot say, or undefined. */
function problemOf({ classes }: ClassMap): string | undefined {
  for (const { id, name } of classes) {
    const problem = nameProblem(name);
    if (problem) return `class ${id}: ${problem}`;
  }
  const id = repeated(classes.map(item => item.id));
  if (id !== undefined) return `two classes have the id ${id}`;
  const name = repeated(classes.map(item => item.name));
  if (name !== undefined) return `two classes have the name “${name}”; merge them or rename one`;
  const cluster = repeated(classes.flatMap(item => item.clusters));
  if (cluster !== undefined) return `cluster ${cluster} belongs to two classes`;
  return undefined;
}

/**
 * Reads `classes.json`. Keys it does not know are dropped, `ignore` may be missing.
 * @param file how messages call the file
 * @throws PermanentError saying what is wrong where
 */
export function parseClassMap(bytes: Uint8Array, file = 'classes.json'): ClassMap {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new PermanentError(`${file} is no JSON: ${(cause as Error).message.replaceAll('\n', ' ')}`, { cause });
  }
  const result = schema.safeParse(json);
  if (!result.success) {
    const { path, message } = result.error.issues[0]!;
    throw new PermanentError(`${file}: ${path.join('.') || 'the whole'}: ${message}`);
  }
  const map = withClasses(result.data.version, result.data.classes);
  const problem = problemOf(map);
  if (problem) throw new PermanentError(`${file}: ${problem}`);
  return map;
}

/** A class map with its classes and their clusters in order. */
export const withClasses = (version: number, classes: readonly LabelClass[]): ClassMap => ({
  version,
  classes: classes
    .map(item => ({ ...item, clusters: [...item.clusters].sort((a, b) => a - b) }))
    .sort((a, b) => a.id - b.id),
});

/** The bytes of `classes.json`: one class per line. Same map, same bytes. */
export function formatClassMap({ version, classes }: ClassMap): Uint8Array {
  const lines = classes.map(({ id, name, clusters, color, ignore }) =>
    JSON.stringify({ id, name, clusters, color, ignore }),
  );
  return new TextEncoder().encode(`{"version":${version},"classes":[\n${lines.join(',\n')}\n]}\n`);
}

/** One class per cluster, “class 1” … “class k”. */
export function defaultClasses(k: number): ClassMap {
  const classes = Array.from({ length: k }, (_, cluster) => defaultClass([cluster as ClusterId], cluster + 1));
  return { version: 1, classes };
}

/** A class as it is before anyone named it. */
export const defaultClass = (clusters: readonly ClusterId[], id: number): LabelClass => ({
  id,
  name: `class ${id}`,
  clusters,
  color: hexOf(id),
  ignore: false,
});

/** Classes that exports hold. */
export const keptClasses = ({ classes }: ClassMap): LabelClass[] => classes.filter(item => !item.ignore);

/** [label id] → class id, 0 for background and ignored classes, −1 where no class holds the label. */
export function classLookup({ classes }: ClassMap): Int32Array {
  const labels = classes.flatMap(item => item.clusters.map(cluster => labelOfCluster(cluster)));
  const lookup = new Int32Array(Math.max(0, ...labels) + 1).fill(-1);
  lookup[0] = 0;
  for (const { id, clusters, ignore } of classes) {
    for (const cluster of clusters) lookup[labelOfCluster(cluster)] = ignore ? 0 : id;
  }
  return lookup;
}

/**
 * A label map with class ids in place of label ids; ignored classes become 0.
 * @param lookup of `classLookup`, to use it for many maps
 * @param name how messages call the label map
 * @throws PermanentError if the map holds a label whose cluster is in no class
 */
export function applyClasses(
  map: LabelMap,
  classes: ClassMap,
  lookup = classLookup(classes),
  name = 'the label map',
): LabelMap {
  const data = new Uint16Array(map.data.length);
  for (let i = 0; i < data.length; i++) {
    const label = map.data[i]!;
    const id = lookup[label] ?? -1;
    if (id < 0) {
      throw new PermanentError(
        `${name} holds label ${label}, but no class of classes.json holds cluster ${label - 1}; add it to a class (with "ignore": true to leave it out)`,
      );
    }
    data[i] = id;
  }
  return { width: map.width, height: map.height, data };
}
