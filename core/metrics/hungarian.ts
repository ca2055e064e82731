/** The assignment problem: pair rows with columns one to one so that the weights add up to the most. */
import { hasAlternatingCycle } from './alternating-cycle.ts';
import { auction, type Start } from './auction.ts';

export interface Assignment {
  /** Column of each row, −1 where there are more rows than columns and this one is left over. [rows] */
  readonly columnOf: Int32Array;
  /** Sum of the weights of all pairs. */
  readonly total: number;
  /** No other assignment reaches this total, exchanges among pairs of weight 0 aside. */
  readonly unique: boolean;
}

/** The optimum of the smaller side's view: `rows` ≤ `columns`; costs are negated weights. */
export interface Optimum {
  readonly weights: Float64Array;
  readonly rows: number;
  readonly columns: number;
  readonly columnOf: Int32Array;
  /** −1 where the column is free. */
  readonly rowOf: Int32Array;
  /** Dual prices: −weight − rowPrice − columnPrice ≥ 0, and 0 for every pair; columnPrice ≤ 0, and 0 where free. */
  readonly rowPrice: Float64Array;
  readonly columnPrice: Float64Array;
}

/**
 * Pairs min(rows, columns) rows and columns so that the sum of weights is greatest.
 *
 * Shortest augmenting paths with dual prices (Jonker and Volgenant, Computing 38, 1987; for rectangles Crouse, IEEE TAES
 * 52, 2016), from a start that keeps them short: O(min² · max) time at worst, one copy of the weights at most. Exact for integers below 2^52.
 *
 * @param weights [rows, columns], row-major, not negative
 */
export function hungarian(weights: Float64Array, rows: number, columns: number): Assignment {
  const flat = rows <= columns;
  const optimum = flat ? solve(weights, rows, columns) : solve(transposed(weights, rows, columns), columns, rows);
  let total = 0;
  for (let row = 0; row < optimum.rows; row++)
    total += optimum.weights[row * optimum.columns + optimum.columnOf[row]!]!;
  return { columnOf: flat ? optimum.columnOf : optimum.rowOf, total, unique: !hasAlternatingCycle(optimum) };
}

function transposed(weights: Float64Array, rows: number, columns: number): Float64Array {
  const turned = new Float64Array(weights.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) turned[column * rows + row] = weights[row * columns + column]!;
  }
  return turned;
}

/** A square is begun by an auction; so is a rectangle where few columns are worth having, made square by rows of no weight. */
function solve(weights: Float64Array, rows: number, columns: number): Optimum {
  if (rows === columns) return completed(weights, rows, columns, auction(weights, rows));
  const kept = columnsWorth(weights, rows, columns, 2 * rows);
  if (!kept) return completed(weights, rows, columns, greedyStart(weights, rows, columns));
  const size = kept.length;
  const square = new Float64Array(size * size);
  for (let row = 0; row < rows; row++)
    for (let place = 0; place < size; place++) square[row * size + place] = weights[row * columns + kept[place]!]!;
  return widened(weights, rows, columns, kept, completed(square, size, size, auction(square, size)));
}

/**
 * Columns that some optimum keeps to: in place of another, a row could have one of its `rows` + 1 heaviest, of which one is
 * always left. @returns ascending; undefined where they are more than `most`
 */
function columnsWorth(weights: Float64Array, rows: number, columns: number, most: number): number[] | undefined {
  const kept = new Set<number>();
  for (let row = 0; row < rows; row++) {
    const own = weights.subarray(row * columns, (row + 1) * columns);
    const least = own.slice().sort()[columns - rows - 1]!;
    let wanted = rows + 1;
    for (let column = 0; column < columns; column++) {
      if (own[column]! > least) kept.add(column);
      if (own[column]! > least || (own[column] === least && kept.has(column))) wanted--;
    }
    for (let column = 0; wanted > 0; column++) {
      if (own[column] !== least || kept.has(column)) continue;
      kept.add(column);
      wanted--;
    }
    if (kept.size > most) return undefined;
  }
  return [...kept].sort((a, b) => a - b);
}

/** The optimum of the whole from that of the columns kept. What rows without weight have there is free, and costs nothing. */
function widened(
  weights: Float64Array,
  rows: number,
  columns: number,
  kept: readonly number[],
  square: Optimum,
): Optimum {
  const level = square.columnPrice.reduce((most, price) => Math.max(most, price), Number.NEGATIVE_INFINITY);
  const rowOf = new Int32Array(columns).fill(-1);
  const columnPrice = new Float64Array(columns);
  for (const [place, column] of kept.entries()) {
    if (square.rowOf[place]! >= rows) continue;
    rowOf[column] = square.rowOf[place]!;
    columnPrice[column] = square.columnPrice[place]! - level;
  }
  const columnOf = square.columnOf.subarray(0, rows).map(place => kept[place]!);
  const rowPrice = square.rowPrice.subarray(0, rows).map(price => price + level);
  return { weights, rows, columns, columnOf, rowOf, rowPrice, columnPrice };
}

/** Every row gets its heaviest column, if none before it had it; columns cost nothing. */
function greedyStart(weights: Float64Array, rows: number, columns: number): Start {
  const columnOf = new Int32Array(rows).fill(-1);
  const taken = new Uint8Array(columns);
  for (let row = 0; row < rows; row++) {
    let best = 0;
    for (let column = 1; column < columns; column++) {
      const gain = weights[row * columns + column]! - weights[row * columns + best]!;
      if (gain > 0 || (gain === 0 && taken[best] && !taken[column])) best = column;
    }
    if (taken[best]) continue;
    taken[best] = 1;
    columnOf[row] = best;
  }
  return { columnOf, price: new Float64Array(columns) };
}

/** @param start where columns left over cost nothing, if there are more columns than rows */
function completed(weights: Float64Array, rows: number, columns: number, start: Start): Optimum {
  const optimum: Optimum = {
    weights,
    rows,
    columns,
    columnOf: start.columnOf,
    rowOf: new Int32Array(columns).fill(-1),
    rowPrice: new Float64Array(rows),
    columnPrice: start.price.map(price => -price),
  };
  for (let row = 0; row < rows; row++) keepIfBest(optimum, row);
  const search = {
    distance: new Float64Array(columns),
    from: new Int32Array(columns),
    open: new Int32Array(columns),
  };
  for (let row = 0; row < rows; row++) if (optimum.columnOf[row] === -1) augment(optimum, search, row);
  return optimum;
}

/** A row's price at these prices of columns. It keeps the column it was given if none is better. */
function keepIfBest({ weights, columns, columnOf, rowOf, rowPrice, columnPrice }: Optimum, row: number): void {
  const base = row * columns;
  let lowest = Number.POSITIVE_INFINITY;
  for (let column = 0; column < columns; column++) {
    const cost = -weights[base + column]! - columnPrice[column]!;
    if (cost < lowest) lowest = cost;
  }
  rowPrice[row] = lowest;
  const given = columnOf[row]!;
  if (given === -1) return;
  if (-weights[base + given]! - columnPrice[given]! === lowest) rowOf[given] = row;
  else columnOf[row] = -1;
}

interface Search {
  /** Length of the shortest alternating path to each column, in reduced costs. */
  readonly distance: Float64Array;
  /** Row from which that path enters the column. */
  readonly from: Int32Array;
  /** Columns: first those whose distance is not final, then, from the end, the final ones. */
  readonly open: Int32Array;
}

/** Gives one more row a column, moving others along the shortest alternating path to a free column. */
function augment(optimum: Optimum, search: Search, start: number): void {
  const { columnOf, rowOf } = optimum;
  const { end, finals } = shortestPath(optimum, search, start);
  updatePrices(optimum, search, start, end, finals);
  for (let column = end; ; ) {
    const row = search.from[column]!;
    const next = columnOf[row]!;
    rowOf[column] = row;
    columnOf[row] = column;
    if (row === start) return;
    column = next;
  }
}

/** Dijkstra over columns. @returns the free column reached; `finals`: where in `open` the final columns begin. */
function shortestPath(optimum: Optimum, { distance, from, open }: Search, start: number) {
  const { weights, columns, rowOf, rowPrice, columnPrice } = optimum;
  for (let column = 0; column < columns; column++) open[column] = column;
  distance.fill(Number.POSITIVE_INFINITY);
  let row = start;
  let reached = 0;
  for (let left = columns; ; ) {
    const base = row * columns;
    const offset = reached - rowPrice[row]!;
    let nearest = Number.POSITIVE_INFINITY;
    let place = -1;
    for (let i = 0; i < left; i++) {
      const column = open[i]!;
      const length = offset - weights[base + column]! - columnPrice[column]!;
      let known = distance[column]!;
      if (length < known) {
        distance[column] = known = length;
        from[column] = row;
      }
      if (known < nearest || (known === nearest && rowOf[column] === -1)) {
        nearest = known;
        place = i;
      }
    }
    const column = open[place]!;
    reached = nearest;
    if (rowOf[column] === -1) return { end: column, finals: left };
    open[place] = open[--left]!;
    open[left] = column;
    row = rowOf[column]!;
  }
}

/** Keeps all reduced costs non-negative and those on the path 0. */
function updatePrices(optimum: Optimum, search: Search, start: number, end: number, finals: number): void {
  const { columns, rowOf, rowPrice, columnPrice } = optimum;
  const reached = search.distance[end]!;
  rowPrice[start]! += reached;
  for (let i = finals; i < columns; i++) {
    const column = search.open[i]!;
    const change = reached - search.distance[column]!;
    rowPrice[rowOf[column]!]! += change;
    columnPrice[column]! -= change;
  }
}
