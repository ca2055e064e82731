/** A first assignment and prices near the optimum, by an auction: where the Hungarian method would take long ways, they are short from here. */

export interface Start {
  /** Column of each row, −1 where it has none yet. [rows] */
  readonly columnOf: Int32Array;
  /** Of the columns: whole numbers, not negative. */
  readonly price: Float64Array;
}

/** From one round to the next, bids become finer by this. */
const refinement = 6;

/** Looks at weights, in multiples of their number, before the auction is broken off: it only has to help. */
const patience = 80;

/** Sums of scaled weights and prices stay exact below this. */
const largest = 2 ** 51;

/**
 * Rows bid for columns, each for the one where weight less price is greatest, and pay what the second best would have
 * let them gain plus ε; who is outbid bids again; ε falls from round to round (Bertsekas, Annals of Operations Research 14,
 * 1988). Weights are scaled up so far, if they may, that ε = 1 in the end makes the assignment optimal and the prices,
 * rounded as below, exact; where the auction is broken off, they are only near.
 *
 * @param weights [size, size], row-major, whole and not negative
 */
export function auction(weights: Float64Array, size: number): Start {
  let highest = 1;
  for (const weight of weights) if (weight > highest) highest = weight;
  const scale = Math.max(1, Math.min(size + 1, Math.floor(largest / highest)));
  const price = new Float64Array(size);
  const columnOf = new Int32Array(size).fill(-1);
  if (size < 2) return { columnOf, price };
  const hall: Hall = { weights, scale, price, columnOf, rowOf: new Int32Array(size), left: patience * size };
  for (let step = Math.ceil((highest * scale) / refinement); ; step = Math.ceil(step / refinement)) {
    columnOf.fill(-1);
    hall.rowOf.fill(-1);
    if (!sellAll(hall, step) || step === 1) break;
  }
  return { columnOf, price: rounded(price, scale) };
}

interface Hall {
  readonly weights: Float64Array;
  readonly scale: number;
  readonly price: Float64Array;
  readonly columnOf: Int32Array;
  /** −1 where nobody has the column. */
  readonly rowOf: Int32Array;
  /** Bids that may still be made. */
  left: number;
}

/** @returns false if patience ran out */
function sellAll(hall: Hall, step: number): boolean {
  const { weights, scale, price, columnOf, rowOf } = hall;
  const columns = price.length;
  const waiting = Int32Array.from(columnOf, (_, row) => columnOf.length - 1 - row);
  for (let count = waiting.length; count > 0; ) {
    if (hall.left-- === 0) return false;
    const row = waiting[--count]!;
    const base = row * columns;
    let best = Number.NEGATIVE_INFINITY;
    let second = Number.NEGATIVE_INFINITY;
    let chosen = 0;
    for (let column = 0; column < columns; column++) {
      const gain = weights[base + column]! * scale - price[column]!;
      if (gain <= second) continue;
      if (gain > best) {
        second = best;
        best = gain;
        chosen = column;
      } else second = gain;
    }
    price[chosen]! += best - second + step;
    const outbid = rowOf[chosen]!;
    if (outbid !== -1) {
      columnOf[outbid] = -1;
      waiting[count++] = outbid;
    }
    rowOf[chosen] = row;
    columnOf[row] = chosen;
  }
  return true;
}

/**
 * Prices in units of the weights. No row gains more than 1 by changing from column j to k, so p_j ≤ p_k + w·scale + 1 for a
 * whole number w. Cut down to multiples of the scale from an offset that no price misses by 1, the 1 falls away: with more
 * remainders than columns there is such an offset.
 */
function rounded(price: Float64Array, scale: number): Float64Array {
  const hit = new Uint8Array(scale);
  for (const value of price) hit[value % scale] = 1;
  const offset = Math.max(0, hit.indexOf(0)) + 1;
  const cut = price.map(value => Math.floor((value - offset) / scale));
  const lowest = cut.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  return cut.map(value => value - lowest);
}
