/** Names of label map files. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { labelPaths } from '#core/labels/label-path';

const pathsOf = (...inputs: string[]) => {
  const paths = labelPaths(inputs);
  return Object.fromEntries(inputs.map(input => [input, paths.of(input)]));
};

describe('label paths', () => {
  it('end the stem at the last dot of the last part', () => {
    expect(pathsOf('a/b.jpg', 'c.d.e.png', 'v1.0/readme', 'x/.jpg', '猫 1.JPEG')).toEqual({
      'a/b.jpg': 'a/b.png',
      'c.d.e.png': 'c.d.e.png',
      'v1.0/readme': 'v1.0/readme.png',
      'x/.jpg': 'x/.jpg.png',
      '猫 1.JPEG': '猫 1.png',
    });
  });
  it('keep both extensions where two inputs would collide', () => {
    expect(pathsOf('a/b.jpg', 'a/b.png', 'b.jpg')).toEqual({
      'a/b.jpg': 'a/b.jpg.png',
      'a/b.png': 'a/b.png.png',
      'b.jpg': 'b.png',
    });
  });
  it('solve the collision that this can cause', () => {
    expect(pathsOf('b.jpg', 'b.png', 'b.jpg.gif')).toEqual({
      'b.jpg': 'b.jpg.png',
      'b.png': 'b.png.png',
      'b.jpg.gif': 'b.jpg.gif.png',
    });
  });
  it('are never shared, do not depend on order, and lie beside their input', () => {
    const part = fc.constantFrom('a', 'b', 'a.b', 'a.jpg', 'b.png', 'a.b.jpg', 'a.jpg.png', 'a.png', 'b.jpg.png.gif');
    const input = fc.array(part, { minLength: 1, maxLength: 2 }).map(parts => parts.join('/'));
    fc.assert(
      fc.property(fc.uniqueArray(input, { maxLength: 30 }), inputs => {
        const paths = labelPaths(inputs);
        const all = inputs.map(input => [input, paths.of(input)] as const);
        expect(new Set(all.map(([, to]) => to)).size).toBe(inputs.length);
        const reversed = labelPaths([...inputs].reverse());
        for (const [from, to] of all) {
          expect(reversed.of(from)).toBe(to);
          expect(paths.has(to)).toBe(true);
          expect(paths.has(`${to}.png`)).toBe(all.some(([, other]) => other === `${to}.png`));
          expect(to.split('/').slice(0, -1)).toEqual(from.split('/').slice(0, -1));
        }
      }),
    );
  });
});
