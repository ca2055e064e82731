import { munkres } from 'munkres';
import { describe, expect, it } from 'vitest';
import { hungarian } from '#core/metrics/hungarian';
import { Random } from '#core/random';
import { slowBestTotal } from './slow-evaluation.ts';

const randomWeights = (random: Random, rows: number, columns: number, highest: number): number[][] =>
  Array.from({ length: rows }, () => Array.from({ length: columns }, () => random.integer(highest + 1)));
const solve = (weights: number[][], columns = weights[0]?.length ?? 0) =>
  hungarian(Float64Array.from(weights.flat()), weights.length, columns);

/** Pairs of positive weight in every optimal assignment found by trying all; their number tells uniqueness. */
function optimaByForce(weights: number[][]): Set<string> {
  const rows = weights.length;
  const columns = weights[0]!.length;
  const found = new Map<string, number>();
  const visit = (row: number, used: number, skips: number, total: number, pairs: string) => {
    if (row === rows) {
      found.set(pairs, total);
      return;
    }
    if (skips > 0) visit(row + 1, used, skips - 1, total, pairs);
    for (let column = 0; column < columns; column++) {
      if (used & (1 << column)) continue;
      const weight = weights[row]![column]!;
      const more = weight > 0 ? `${row}-${column} ` : '';
      visit(row + 1, used | (1 << column), skips, total + weight, pairs + more);
    }
  };
  visit(0, 0, Math.max(0, rows - columns), 0, '');
  const best = Math.max(...found.values());
  return new Set([...found].filter(([, total]) => total === best).map(([pairs]) => pairs));
}

describe('hungarian', () => {
  it('finds the greatest total on small matrices of every shape', () => {
    const random = new Random(2);
    for (let round = 0; round < 2000; round++) {
      const weights = randomWeights(random, 1 + random.integer(6), 1 + random.integer(6), [2, 5, 1000][round % 3]!);
      expect(solve(weights).total).toBe(slowBestTotal(weights));
    }
  });

  it('pairs as many rows as it can, each column once, and the pairs add up to the total', () => {
    const random = new Random(3);
    for (let round = 0; round < 500; round++) {
      const rows = 1 + random.integer(12);
      const columns = 1 + random.integer(12);
      const weights = randomWeights(random, rows, columns, 3);
      const { columnOf, total } = solve(weights);
      const taken = [...columnOf].filter(column => column >= 0);
      expect(taken.length).toBe(Math.min(rows, columns));
      expect(new Set(taken).size).toBe(taken.length);
      expect([...columnOf].reduce((sum, column, row) => sum + (column < 0 ? 0 : weights[row]![column]!), 0)).toBe(
        total,
      );
    }
  });

  it('knows whether another assignment of positive pairs is as good', () => {
    const random = new Random(4);
    const seen = { unique: 0, tied: 0 };
    for (let round = 0; round < 3000; round++) {
      const weights = randomWeights(random, 1 + random.integer(5), 1 + random.integer(5), [1, 3, 9][round % 3]!);
      const unique = optimaByForce(weights).size === 1;
      expect(solve(weights).unique).toBe(unique);
      seen[unique ? 'unique' : 'tied']++;
    }
    expect(Math.min(seen.unique, seen.tied)).toBeGreaterThan(500);
  });

  it('agrees with the munkres package on larger matrices', () => {
    const random = new Random(5);
    for (const [rows, columns, highest] of [
      [60, 60, 10],
      [40, 90, 1000],
      [90, 40, 3],
      [150, 150, 1],
      [120, 130, 1e9],
    ] as const) {
      const weights = randomWeights(random, rows, columns, highest);
      const pairs = munkres(weights.map(row => row.map(weight => -weight)));
      const total = pairs.reduce((sum, [row, column]) => sum + weights[row!]![column!]!, 0);
      expect(solve(weights).total).toBe(total);
    }
  });

  it('leaves nothing to pair where a side is empty', () => {
    expect(hungarian(new Float64Array(0), 0, 3)).toEqual({ columnOf: new Int32Array(0), total: 0, unique: true });
    expect(hungarian(new Float64Array(0), 2, 0)).toEqual({ columnOf: Int32Array.of(-1, -1), total: 0, unique: true });
  });
});
