/** Everything that metrics need from the label maps, gathered in one pass, before a matching is known. */
import type { LabelMap } from '#core/labels/label-map';
import { CountTable } from './count-table.ts';
import { type ImageFact, ImageFacts } from './image-facts.ts';
import { countsPerPair, JointCounter, type JointCounts } from './joint-counts.ts';
import { addPlaces, placeTable } from './place-histogram.ts';
import { sizeBinOf, sizeBins } from './size-bins.ts';

/** `auto`: 0 is background on both sides. `none`: 0 is a class and a predicted id like any other. */
export type BackgroundRule = 'auto' | 'none';

/** Scope of a count: one of the size bins, or, for background only, the whole image. */
export const wholeImage = sizeBins.length;
const scopes = sizeBins.length + 1;
const idRange = 65536;

/** Key of a row of `Tally.cells`. */
export const cellKey = (predicted: number, truth: number, scope: number): number =>
  (predicted * idRange + truth) * scopes + scope;

/** The inverse of `cellKey`. */
export function cellOf(key: number): { predicted: number; truth: number; scope: number } {
  const pair = Math.floor(key / scopes);
  return { predicted: Math.floor(pair / idRange), truth: pair % idRange, scope: key % scopes };
}

/**
 * Joint counts of predicted ids and class ids. All metrics of `finish` follow from them for any one-to-one matching: a
 * matching renames regions without joining any, so boundaries, sizes and places are those of the unmatched maps.
 *
 * Integers only: a tally of a whole set equals the merged tallies of its shards.
 */
export class Tally {
  readonly background: BackgroundRule;
  /**
   * By `cellKey`, four counts as in `JointCounts`. A class lies in one size bin per image. Background lies in `wholeImage`
   * and once more in each bin that has a class in the image.
   */
  readonly cells = new CountTable(countsPerPair);
  readonly facts = new ImageFacts();
  /** By class id. */
  readonly places = placeTable();
  readonly #counter = new JointCounter();

  constructor(background: BackgroundRule) {
    this.background = background;
  }

  /** Lowest id that is an ordinary class (or predicted id). */
  get firstClass(): number {
    return this.background === 'auto' ? 1 : 0;
  }

  get images(): number {
    return this.facts.images;
  }

  /** Highest class id seen, 0 where there is none. */
  get highestClass(): number {
    let highest = 0;
    for (const [id] of this.places.entries()) highest = Math.max(highest, id);
    return highest;
  }

  /**
   * Adds one image.
   * @param ignore ids of the ground truth whose pixels do not count
   * @throws RangeError if the sizes differ
   */
  add(prediction: LabelMap, truth: LabelMap, ignore: readonly number[]): void {
    if (prediction.width !== truth.width || prediction.height !== truth.height) {
      throw new RangeError(
        `a prediction of ${prediction.width}×${prediction.height} for ground truth of ${truth.width}×${truth.height}`,
      );
    }
    const joint = this.#counter.count(prediction, truth);
    const areas = areasOf(joint, ignore);
    this.#addCells(joint, areas.ofTruth);
    this.facts.add(factOf(joint, areas, this.firstClass));
    const counted = joint.truths.filter((_, slot) => areas.ofTruth[slot]! > 0);
    addPlaces(this.places, truth, this.#counter.truthRuns, counted);
  }

  /** Adds another tally's images behind one's own. @throws RangeError if the rules for background differ. */
  merge(other: Tally): void {
    if (other.background !== this.background) throw new RangeError('tallies with and without background do not add up');
    this.cells.merge(other.cells);
    this.places.merge(other.places);
    this.facts.append(other.facts.data, other.images);
  }

  /** @param areas pixels of each class; 0 for ignored ids */
  #addCells({ predicted, truths, counts }: JointCounts, areas: Int32Array): void {
    const bins = this.#binsOf(truths, areas);
    const binsInUse = [...new Set(bins)].filter(bin => bin !== wholeImage);
    for (const [row, id] of predicted.entries()) {
      for (const [column, truth] of truths.entries()) {
        if (areas[column] === 0) continue;
        const bin = bins[column]!;
        const scopesOfCell = bin === wholeImage ? [wholeImage, ...binsInUse] : [bin];
        const from = (row * truths.length + column) * countsPerPair;
        for (const scope of scopesOfCell) this.#addCell(cellKey(id, truth, scope), counts, from);
      }
    }
  }

  /** Size bin of each class, `wholeImage` for background and for ignored ids. */
  #binsOf(truths: readonly number[], areas: Int32Array): number[] {
    const total = areas.reduce((sum, area) => sum + area, 0);
    return truths.map((id, slot) =>
      id < this.firstClass || areas[slot] === 0 ? wholeImage : sizeBinOf(areas[slot]!, total),
    );
  }

  #addCell(key: number, counts: Int32Array, from: number): void {
    let any = 0;
    for (let i = 0; i < countsPerPair; i++) any |= counts[from + i]!;
    if (any === 0) return;
    const to = this.cells.row(key);
    for (let i = 0; i < countsPerPair; i++) this.cells.counts[to + i]! += counts[from + i]!;
  }
}

interface Areas {
  /** Counted pixels per predicted id, and per class; ignored ids have 0. */
  readonly ofPredicted: Int32Array;
  readonly ofTruth: Int32Array;
  /** Counted pixels that are neither predicted 0 nor truly 0. */
  readonly overlap: number;
}

function areasOf({ predicted, truths, counts }: JointCounts, ignore: readonly number[]): Areas {
  const ofPredicted = new Int32Array(predicted.length);
  const ofTruth = new Int32Array(truths.length);
  let overlap = 0;
  for (let pair = 0; pair < counts.length / countsPerPair; pair++) {
    const row = Math.floor(pair / truths.length);
    const column = pair % truths.length;
    if (ignore.includes(truths[column]!)) continue;
    let pixels = 0;
    for (let i = 0; i < countsPerPair; i++) pixels += counts[pair * countsPerPair + i]!;
    ofPredicted[row]! += pixels;
    ofTruth[column]! += pixels;
    if (predicted[row]! > 0 && truths[column]! > 0) overlap += pixels;
  }
  return { ofPredicted, ofTruth, overlap };
}

function factOf({ predicted, truths }: JointCounts, areas: Areas, firstClass: number): ImageFact {
  const foreground = (ids: readonly number[], counts: Int32Array) =>
    counts.reduce((sum, count, slot) => (ids[slot]! > 0 ? sum + count : sum), 0);
  const seen = [...predicted.keys()].filter(slot => predicted[slot]! >= firstClass && areas.ofPredicted[slot]! > 0);
  const present = [...truths.keys()].filter(slot => truths[slot]! >= firstClass && areas.ofTruth[slot]! > 0);
  return {
    areas: Int32Array.from(seen.flatMap(slot => [predicted[slot]!, areas.ofPredicted[slot]!])),
    truths: Int32Array.from(present, slot => truths[slot]!),
    overlap: areas.overlap,
    predictedForeground: foreground(predicted, areas.ofPredicted),
    truthForeground: foreground(truths, areas.ofTruth),
  };
}
