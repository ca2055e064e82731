/** Choosing, in one pass and bounded memory, which images stand for a class and which a person should look at first. */
import type { ClusterRow } from '#core/formats/clusters-csv';
import { seedOf } from '#core/random';
import type { SettledImage } from './settle-receipt.ts';

type Labelled = Extract<SettledImage, { state: 'labelled' | 'empty' | 'duplicate' }>;

/** Keeps the few items with the smallest rank, smallest first. */
export class Smallest<T> {
  readonly items: { readonly rank: number; readonly item: T }[] = [];
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(rank: number, item: T): void {
    if (this.items.length === this.#limit && rank >= this.items.at(-1)!.rank) return;
    const at = this.items.findIndex(other => other.rank > rank);
    this.items.splice(at < 0 ? this.items.length : at, 0, { rank, item });
    if (this.items.length > this.#limit) this.items.pop();
  }
}

/** An image on a contact sheet. */
export interface SheetImage {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly confidence: number;
  readonly distance: number | null;
}

/** What one label gathers from the images it occurs in. */
export class ClassSheet {
  images = 0;
  pixels = 0;
  confidences = 0;
  /** Images whose own cluster this is, and the sum of their squared distances. */
  owned = 0;
  squaredDistances = 0;
  readonly central = new Smallest<SheetImage>(sheetLength);
  readonly uncertain = new Smallest<SheetImage>(sheetLength);
  readonly random = new Smallest<SheetImage>(sheetLength);
}

/** Per group; groups share no image, so three times three are shown at most. */
const sheetLength = 9;
const shown = 3;

/** One settled image with its row of clusters.csv. */
export function addToSheets(sheets: readonly ClassSheet[], image: Labelled, row: ClusterRow | undefined): void {
  const total = image.width * image.height;
  for (const [label, pixels] of image.labels) {
    const sheet = sheets[label - 1]!;
    const own = row?.cluster === label - 1;
    const item = {
      name: image.name,
      width: image.width,
      height: image.height,
      confidence: image.confidence,
      distance: own ? row.distance : null,
    };
    sheet.images++;
    sheet.pixels += pixels;
    sheet.confidences += image.confidence;
    if (own) {
      sheet.owned++;
      sheet.squaredDistances += row.distance ** 2;
    }
    // Images of the class's own cluster first, by distance; then those it covers most.
    sheet.central.add(own ? row.distance : 10 - pixels / total, item);
    sheet.uncertain.add(image.confidence - Math.min(0.5, pixels / total), item);
    sheet.random.add(seedOf(image.name, label), item);
  }
}

/** At most three of each group, no image twice. */
export function pickMembers(
  sheet: ClassSheet,
): (SheetImage & { readonly group: 'central' | 'uncertain' | 'random' })[] {
  const used = new Set<string>();
  return (['central', 'uncertain', 'random'] as const).flatMap(group => {
    const picked = sheet[group].items
      .map(({ item }) => item)
      .filter(({ name }) => !used.has(name))
      .slice(0, shown);
    for (const { name } of picked) used.add(name);
    return picked.map(item => ({ ...item, group }));
  });
}
