import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { shellWord } from '#core/pages/shell-word';

describe('shellWord', () => {
  test.each([
    ['out', 'out'],
    ['my photos', "'my photos'"],
    ["it's", "'it'\\''s'"],
    ['-rf', './-rf'],
    ['', "''"],
  ])('%j → %s', (argument, word) => expect(shellWord(argument)).toBe(word));

  test('a shell reads the argument back', () => {
    const argument = fc.string({ unit: 'grapheme' }).filter(text => !text.includes('\0') && !text.startsWith('-'));
    fc.assert(
      fc.property(fc.array(argument, { minLength: 1, maxLength: 20 }), words => {
        const read = execFileSync('sh', ['-c', `printf '%s\\0' ${words.map(shellWord).join(' ')}`]).toString();
        expect(read).toBe(words.map(word => `${word}\0`).join(''));
      }),
      { numRuns: 30 },
    );
  });
});
