/** Long tables: what is measured can be kept, one JSON object per line, so that a bench which was stopped goes on. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/** `BENCH_CELLS=FILE` keeps; remove the file to measure anew. */
const file = process.env.BENCH_CELLS;

/** What was measured under this name, or what `measure` gives now. */
export async function remember<T>(cell: string, measure: () => Promise<T>): Promise<T> {
  const lines = file && existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  const known = lines.map(line => JSON.parse(line) as { cell: string; value: T }).find(one => one.cell === cell);
  if (known) return known.value;
  const value = await measure();
  if (file) appendFileSync(file, `${JSON.stringify({ cell, value })}\n`);
  return value;
}
