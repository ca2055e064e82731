/** The assignment problem: pair rows with columns one to one so that the weights add up to the most. */
import { hasAlternatingCycle } from './alternating-cycle.ts';

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
 * 52, 2016): O(min² · max) time, O(rows + columns) memory beside the weights. Exact for integers below 2^52.
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

function solve(weights: Float64Array, rows: number, columns: number): Optimum {
  const optimum: Optimum = {
    weights,
    rows,
    columns,
    columnOf: new Int32Array(rows).fill(-1),
    rowOf: new Int32Array(columns).fill(-1),
    rowPrice: new Float64Array(rows),
    columnPrice: new Float64Array(columns),
  };
  for (let row = 0; row < rows; row++) startGreedily(optimum, row);
  const search = {
    distance: new Float64Array(columns),
    from: new Int32Array(columns),
    open: new Int32Array(columns),
  };
  for (let row = 0; row < rows; row++) if (optimum.columnOf[row] === -1) augment(optimum, search, row);
  return optimum;
}

/** Takes a row's heaviest free column where none is heavier. */
function startGreedily({ weights, columns, columnOf, rowOf, rowPrice }: Optimum, row: number): void {
  let best = 0;
  for (let column = 1; column < columns; column++) {
    const gain = weights[row * columns + column]! - weights[row * columns + best]!;
    if (gain > 0 || (gain === 0 && rowOf[best] !== -1 && rowOf[column] === -1)) best = column;
  }
  rowPrice[row] = -weights[row * columns + best]!;
  if (rowOf[best] !== -1) return;
  rowOf[best] = row;
  columnOf[row] = best;
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
