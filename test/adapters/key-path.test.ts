import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareKeys, merged, nameOf, undecodedPath } from '#adapters/local/key-path';

async function* stream(keys: readonly string[]) {
  yield* keys;
}

describe('names and keys', () => {
  it('names that are UTF-8 stay as they are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), text => {
        expect(nameOf(Buffer.from(text))).toBe(text);
      }),
    );
    expect(nameOf(Buffer.from('\uFEFFmarked.jpg'))).toBe('\uFEFFmarked.jpg');
  });

  it('names that are not come back byte by byte', () => {
    const odd = fc.uint8Array({ minLength: 1 }).filter(bytes => !bytes.includes(92) && nameOf(bytes).includes('\\x'));
    fc.assert(
      fc.property(odd, bytes => {
        expect(undecodedPath(nameOf(bytes))).toEqual(Buffer.from(bytes));
      }),
    );
    expect(undecodedPath('plain/back\\slash.jpg')).toBeUndefined();
  });
});

describe('merged', () => {
  it('gives all entries of sorted listings in order', async () => {
    const listing = fc.uniqueArray(fc.string({ unit: 'grapheme' })).map(keys => keys.sort(compareKeys));
    await fc.assert(
      fc.asyncProperty(fc.array(listing, { maxLength: 4 }), async listings => {
        const keys: string[] = [];
        for await (const key of merged(listings.map(stream), one => one)) keys.push(key);
        expect(keys).toEqual(listings.flat().sort(compareKeys));
      }),
    );
  });
});
