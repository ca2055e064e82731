/** The evaluation written straight from its definitions: one matching applied per image, one erosion per label. Slow. */
import type { LabelMap } from '#core/labels/label-map';

export interface Pair {
  readonly prediction: LabelMap;
  readonly truth: LabelMap;
}

/** Mask minus the mask eroded `distance` times by a 3×3 square, with zeros around the image; label by label. */
export function erodedBoundary({ width, height, data }: LabelMap, distance: number): Uint8Array {
  const boundary = new Uint8Array(data.length);
  for (const label of new Set(data)) {
    let mask = Uint8Array.from(data, id => (id === label ? 1 : 0));
    for (let round = 0; round < distance; round++) mask = erode(mask, width, height);
    for (let i = 0; i < data.length; i++) if (data[i] === label && mask[i] === 0) boundary[i] = 1;
  }
  return boundary;
}

function erode(mask: Uint8Array, width: number, height: number): Uint8Array<ArrayBuffer> {
  const at = (x: number, y: number) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : mask[y * width + x]!);
  return Uint8Array.from(mask, (_, i) => {
    const x = i % width;
    const y = Math.floor(i / width);
    for (let dy = -1; dy <= 1; dy++) for (let dx = -1; dx <= 1; dx++) if (at(x + dx, y + dy) === 0) return 0;
    return 1;
  });
}

/** Python's round(0.03 * sqrt(h² + w²)), at least 1, by way of decimal text. */
export function slowDistance(width: number, height: number): number {
  const value = 0.03 * Math.sqrt(height ** 2 + width ** 2);
  const candidates = [Math.floor(value), Math.ceil(value)];
  const [below, above] = candidates as [number, number];
  if (value - below === above - value) return Math.max(1, candidates.find(n => n % 2 === 0)!);
  return Math.max(1, value - below < above - value ? below : above);
}

const nothing = 60000;

interface Sums {
  P: number[];
  G: number[];
  I: number[];
}
const zeros = (n: number): Sums => ({ P: Array(n).fill(0), G: Array(n).fill(0), I: Array(n).fill(0) });
const iouOf = ({ P, G, I }: Sums, c: number) => I[c]! / (P[c]! + G[c]! - I[c]! + 1e-10);
const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;

function addHistogram(sums: Sums, prediction: number[], truth: number[]) {
  for (let i = 0; i < truth.length; i++) {
    const p = prediction[i]!;
    const g = truth[i]!;
    if (p < sums.P.length) sums.P[p]!++;
    if (g < sums.G.length) sums.G[g]!++;
    if (p === g && g < sums.I.length) sums.I[g]!++;
  }
}

/** Ids of the boundary map: the pixel's id on the boundary, −1 elsewhere. */
const idsOnBoundary = (map: LabelMap) => {
  const boundary = erodedBoundary(map, slowDistance(map.width, map.height));
  return Array.from(map.data, (id, i) => (boundary[i] ? id : -1));
};

export function slowEvaluation(
  pairs: readonly Pair[],
  options: { ignore: number[]; classOf: ReadonlyMap<number, number>; classes: number; background: 'auto' | 'none' },
) {
  const ids = options.background === 'auto' ? options.classes + 1 : options.classes;
  const first = options.background === 'auto' ? 1 : 0;
  const whole = zeros(ids);
  const onBoundary = zeros(ids);
  const bins = [zeros(ids), zeros(ids), zeros(ids), zeros(ids)];
  const boundaryBins = [zeros(ids), zeros(ids), zeros(ids), zeros(ids)];
  const right: number[] = [];
  const f: number[] = [];
  const foreground = { both: 0, either: 0 };
  for (const { prediction, truth } of pairs) {
    const matched = {
      ...prediction,
      data: Uint16Array.from(prediction.data, id => options.classOf.get(id) ?? nothing),
    };
    const keep = Array.from(truth.data, id => !options.ignore.includes(id));
    const kept = (values: ArrayLike<number>) => Array.from(values).filter((_, i) => keep[i]);
    const p = kept(matched.data);
    const g = kept(truth.data);
    const bp = kept(idsOnBoundary(matched));
    const bg = kept(idsOnBoundary(truth));
    addHistogram(whole, p, g);
    const positive = (a: number[], b: number[], sums: Sums) => {
      for (let i = 0; i < a.length; i++) {
        if (a[i]! >= 0 && a[i]! < ids) sums.P[a[i]!]!++;
        if (b[i]! >= 0) sums.G[b[i]!]!++;
        if (a[i]! >= 0 && a[i] === b[i]) sums.I[b[i]!]!++;
      }
    };
    positive(bp, bg, onBoundary);

    const binClasses: Set<number>[] = [new Set(), new Set(), new Set(), new Set()];
    for (const c of new Set(g)) {
      if (c < first) continue;
      const r = Math.ceil((100 * g.filter(id => id === c).length) / g.length);
      binClasses[r <= 5 ? 0 : r <= 25 ? 1 : r <= 50 ? 2 : 3]!.add(c);
    }
    for (const [bin, classes] of binClasses.entries()) {
      if (classes.size === 0) continue;
      const inBin = g.map(id => (first === 1 && id === 0) || classes.has(id));
      const pick = (values: number[]) => values.filter((_, i) => inBin[i]);
      addHistogram(bins[bin]!, pick(p), pick(g));
      positive(pick(bp), pick(bg), boundaryBins[bin]!);
    }

    const areas = Array.from({ length: ids }, (_, c) => p.filter(id => id === c).length);
    let largest = first;
    for (let c = first; c < ids; c++) if (areas[c]! > areas[largest]!) largest = c;
    right.push(areas[largest]! > 0 && g.includes(largest) ? 1 : 0);

    const tp = p.filter((id, i) => id > 0 && g[i]! > 0).length;
    const predicted = p.filter(id => id > 0).length;
    const actual = g.filter(id => id > 0).length;
    const precision = tp / (predicted + 1e-20);
    const recall = tp / (actual + 1e-20);
    f.push((1.3 * precision * recall) / (0.3 * precision + recall + 1e-20));
    foreground.both += tp;
    foreground.either += predicted + actual - tp;
  }
  const classIds = [...Array(ids).keys()];
  const binScore = (sums: Sums) => {
    const present = classIds.filter(c => sums.G[c]! > 0);
    return present.length === 0 ? null : mean(present.map(c => iouOf(sums, c)));
  };
  const presentForeground = classIds.filter(c => c >= first && whole.G[c]! > 0);
  const total = whole.G.reduce((a, b) => a + b, 0);
  return {
    counts: { whole, onBoundary, bins, boundaryBins },
    miou: mean(classIds.map(c => iouOf(whole, c))),
    miouForeground: presentForeground.length === 0 ? null : mean(presentForeground.map(c => iouOf(whole, c))),
    boundaryMiou: mean(classIds.map(c => iouOf(onBoundary, c))),
    imageAccuracy: mean(right),
    fBeta: first === 1 ? mean(f) : null,
    foregroundIou: first === 1 ? foreground.both / (foreground.either + 1e-10) : null,
    sizes: bins.map(binScore),
    boundarySizes: boundaryBins.map(binScore),
    pixelAccuracy: whole.I.reduce((a, b) => a + b, 0) / total,
    perClass: classIds.map(c => ({ iou: iouOf(whole, c), boundaryIou: iouOf(onBoundary, c), pixels: whole.G[c]! })),
  };
}

/** Images in which a predicted id and a class both occur outside ignored pixels. */
export function slowCoOccurrence(pairs: readonly Pair[], ignore: number[], predicted: number, truthId: number): number {
  return pairs.filter(({ prediction, truth }) => {
    const keep = (_: unknown, i: number) => !ignore.includes(truth.data[i]!);
    return (
      Array.from(prediction.data).filter(keep).includes(predicted) &&
      Array.from(truth.data).filter(keep).includes(truthId)
    );
  }).length;
}

/** Greatest total weight over all one-to-one pairings, by trying every one. */
export function slowBestTotal(weights: readonly number[][]): number {
  const rows = weights.length;
  const columns = weights[0]?.length ?? 0;
  const best = (row: number, used: number, skips: number): number => {
    if (row === rows) return 0;
    let most = skips > 0 ? best(row + 1, used, skips - 1) : Number.NEGATIVE_INFINITY;
    for (let column = 0; column < columns; column++) {
      if (used & (1 << column)) continue;
      most = Math.max(most, weights[row]![column]! + best(row + 1, used | (1 << column), skips));
    }
    return most;
  };
  return best(0, 0, Math.max(0, rows - columns));
}
