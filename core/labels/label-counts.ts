/** How often labels occur in a set of label maps, and what an edit of the class map would change in it. */
import * as z from 'zod';
import type { ClassMap, LabelClass } from './class-map.ts';
import { labelOfCluster } from './label-id.ts';
import type { LabelMap } from './label-map.ts';

/** Counts over all label maps of a job. Images are counted by the set of labels they hold, so that any union can be told exactly. */
export interface LabelCounts {
  readonly images: number;
  /** Label id, pixels; ascending, without ids that do not occur. */
  readonly pixels: readonly (readonly [label: number, pixels: number])[];
  /** Labels that occur together in an image (ascending, with 0 where there is background), and how many such images there are. */
  readonly sets: readonly (readonly [labels: readonly number[], images: number])[];
}

/** Counts label maps one by one. */
export class LabelCounter {
  #images = 0;
  readonly #pixels = new Float64Array(65536);
  readonly #sets = new Map<string, number>();

  add({ data }: LabelMap): void {
    const here = new Map<number, number>();
    for (let i = 0; i < data.length; ) {
      const label = data[i]!;
      const from = i;
      while (i < data.length && data[i] === label) i++;
      here.set(label, (here.get(label) ?? 0) + i - from);
    }
    for (const [label, pixels] of here) this.#pixels[label]! += pixels;
    const set = [...here.keys()].sort((a, b) => a - b).join(' ');
    this.#sets.set(set, (this.#sets.get(set) ?? 0) + 1);
    this.#images++;
  }

  counts(): LabelCounts {
    return {
      images: this.#images,
      pixels: [...this.#pixels.entries()].filter(([, pixels]) => pixels > 0),
      sets: [...this.#sets].map(([set, images]) => [set.split(' ').map(Number), images] as const),
    };
  }
}

const schema = z.object({
  images: z.int().min(0),
  pixels: z.array(z.tuple([z.int(), z.number()])),
  sets: z.array(z.tuple([z.array(z.int()), z.int()])),
});

/** Counts that were stored as JSON; undefined if it is not such. */
export const parseLabelCounts = (json: unknown): LabelCounts | undefined => schema.safeParse(json).data;

export interface Occurrence {
  readonly pixels: number;
  readonly images: number;
}

/** Pixels with one of these labels, and images with any. */
export function occurrence({ pixels, sets }: LabelCounts, labels: ReadonlySet<number>): Occurrence {
  const sum = (counts: number[]) => counts.reduce((total, count) => total + count, 0);
  return {
    pixels: sum(pixels.filter(([label]) => labels.has(label)).map(([, count]) => count)),
    images: sum(sets.filter(([set]) => set.some(label => labels.has(label))).map(([, count]) => count)),
  };
}

/** Where a class occurs, ignored or not. */
export const occurrenceOfClass = (counts: LabelCounts, { clusters }: LabelClass): Occurrence =>
  occurrence(counts, new Set(clusters.map(cluster => labelOfCluster(cluster))));

/** What exports say about each label: class id and name, or nothing for an ignored class. */
const saidOf = ({ classes }: ClassMap) =>
  new Map(
    classes.flatMap(({ id, name, clusters, ignore }) =>
      clusters.map(cluster => [labelOfCluster(cluster) as number, ignore ? '' : `${id} ${name}`] as const),
    ),
  );

/** Pixels and images that exports will describe in another way after an edit: by another class, another name, or none. */
export function previewEdit(before: ClassMap, after: ClassMap, counts: LabelCounts): Occurrence {
  const [was, is] = [saidOf(before), saidOf(after)];
  const changed = [...was.keys(), ...is.keys()].filter(label => was.get(label) !== is.get(label));
  return occurrence(counts, new Set(changed));
}
