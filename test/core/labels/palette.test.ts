/** The palette and the label code: fixed, distinct, black for background. */
import { describe, expect, it } from 'vitest';
import { codeOfId, idOfCode } from '#core/labels/label-code';
import { colourDistance, colourOf, colourOfHex, distinctColours, hexOf } from '#core/labels/palette';

describe('palette', () => {
  it('is fixed for ever: a sample of colours', () => {
    expect([0, 1, 2, 3, 20, 21, 50, 300, 919].map(hexOf)).toMatchInlineSnapshot(`
      [
        "#000000",
        "#e6194b",
        "#3cb44b",
        "#4363d8",
        "#5f3c73",
        "#106024",
        "#c44cc4",
        "#2438c4",
        "#9c104c",
      ]
    `);
  });
  it('gives all of 1000 ids different colours, none black', () => {
    expect(distinctColours()).toBeGreaterThan(1000);
    expect(new Set(Array.from({ length: 1001 }, (_, id) => hexOf(id))).size).toBe(1001);
  });
  it('keeps the first 20 far apart and the first 300 apart', () => {
    const nearest = (count: number) => {
      let least = Number.POSITIVE_INFINITY;
      for (let a = 0; a <= count; a++) {
        for (let b = 0; b < a; b++) least = Math.min(least, colourDistance(colourOf(a), colourOf(b)));
      }
      return Math.sqrt(least);
    };
    expect(nearest(20)).toBeGreaterThan(70);
    expect(nearest(300)).toBeGreaterThan(45);
  });
  it('does not depend on the order of asking, and repeats after the last', () => {
    expect(colourOf(distinctColours() + 5)).toEqual(colourOf(5));
    expect(hexOf(1)).toBe('#e6194b');
  });
  it('reads what it writes', () => {
    for (let id = 0; id < 300; id++) expect(colourOfHex(hexOf(id))).toEqual(colourOf(id));
    expect(colourOfHex('red')).toBeUndefined();
    expect(colourOfHex('#12345')).toBeUndefined();
  });
});

describe('label code', () => {
  it('is red + 256 green, both ways, for every id', () => {
    expect(idOfCode(232, 3)).toBe(1000);
    expect(codeOfId(919)).toEqual([151, 3, 0]);
    for (let id = 0; id < 65536; id++) {
      const [red, green] = codeOfId(id);
      if (idOfCode(red, green) !== id) expect.fail(`id ${id} became ${idOfCode(red, green)}`);
    }
  });
});
