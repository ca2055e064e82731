/** Compiled code that is kept for the next start: used where it fits, overlooked where it does not. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runKept } from '#adapters/local/kept-code';

let folder: string;
let program: string;
let compiled: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kept-'));
  program = join(folder, 'program-1.cjs');
  compiled = join(folder, 'compiled');
  writeFileSync(
    program,
    "exports.where = __filename; exports.twice = n => 2 * n; exports.join = require('node:path').join; exports.text = `model’s …`;",
  );
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Program {
  readonly where: string;
  readonly twice: (n: number) => number;
  readonly join: typeof join;
  readonly text: string;
}

const start = () => runKept<Program>(program, compiled);
const kept = () => readdirSync(compiled).map(name => join(compiled, name));

it('runs a script as Node would, the second time from what was kept', () => {
  for (let i = 0; i < 2; i++) {
    const { exports, keep } = start();
    expect([exports.where, exports.twice(3), exports.join('a', 'b')]).toEqual([program, 6, join('a', 'b')]);
    // Builds leave such characters in templates and regular expressions.
    expect(exports.text).toBe('model’s …');
    keep();
    expect(kept()).toHaveLength(1);
  }
});

it('writes nothing where what was kept still fits', () => {
  start().keep();
  const [file] = kept();
  const again = start();
  rmSync(file!);
  again.keep();
  expect(existsSync(file!)).toBe(false);
});

it.each([
  ['cut', (bytes: Buffer) => bytes.subarray(0, 50)],
  ['empty', () => Buffer.alloc(0)],
  ['flipped', (bytes: Buffer) => Buffer.from(bytes.map((byte, i) => (i === 200 ? byte ^ 1 : byte)))],
])('overlooks a file that was %s, and keeps another', (_, damage) => {
  start().keep();
  const [file] = kept();
  const whole = readFileSync(file!);
  writeFileSync(file!, damage(whole));
  const { exports, keep } = start();
  expect(exports.twice(4)).toBe(8);
  keep();
  expect(readFileSync(file!).length).toBeGreaterThan(100);
});

it('keeps nothing where nothing can be written', () => {
  writeFileSync(compiled, 'a file where the folder would be');
  const { exports, keep } = start();
  keep();
  expect(exports.twice(5)).toBe(10);
  expect(readFileSync(compiled, 'utf8')).toMatch(/^a file/);
});
