/** Tar archives: as Python writes them, the same bytes for the same entries, nothing that leaves its folder. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PermanentError } from '#core/errors';
import { readTar, type TarEntry, writeTar } from '#core/formats/tar';

const fixture = JSON.parse(readFileSync(new URL('../../fixtures/npy-tar-python.json', import.meta.url), 'utf8'));
const archiveOf = (text: string) => new Uint8Array(gunzipSync(Buffer.from(text, 'base64')));
const plain = (entries: Iterable<TarEntry>) =>
  [...entries].map(({ name, bytes }) => ({ name, bytes: Uint8Array.from(bytes) }));

describe('tar', () => {
  it.each(['pax', 'gnu'])('reads what Python writes: %s', format => {
    const expected = Object.entries(fixture.tarFiles as Record<string, string>).map(([name, text]) => ({
      name,
      bytes: Uint8Array.from(Buffer.from(text, 'base64')),
    }));
    expect(plain(readTar(archiveOf(fixture.tar[format])))).toEqual(expected);
  });
  it('reads a ustar name with its prefix', () => {
    const [entry] = readTar(archiveOf(fixture.tar['ustar with a prefix']));
    expect(entry!.name).toBe(fixture.tarPrefixName);
  });
  it.each(Object.keys(fixture.tarRefused))('refuses: %s', kind => {
    expect(() => [...readTar(archiveOf(fixture.tarRefused[kind]), 'x.tar')]).toThrow(PermanentError);
    expect(() => [...readTar(archiveOf(fixture.tarRefused[kind]), 'x.tar')]).toThrow(/^x\.tar: .*(link|leaves)/);
  });

  const part = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
    .filter(text => !/[/\0]/.test(text) && text !== '..');
  const entries = fc.array(
    fc.record({
      name: fc.array(part, { minLength: 1, maxLength: 5 }).map(parts => parts.join('/')),
      bytes: fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.constantFrom(511, 512, 513, 1024).map(n => new Uint8Array(n).fill(7)),
      ),
    }),
    { maxLength: 6 },
  );
  it('gives back any entries, in whole blocks, and the same bytes twice', () => {
    fc.assert(
      fc.property(entries, list => {
        const archive = writeTar(list);
        expect(archive.length % 512).toBe(0);
        expect(plain(readTar(archive))).toEqual(list);
        expect(writeTar(list)).toEqual(archive);
      }),
    );
  });
  it('notices damage: every header byte, and a cut', () => {
    const archive = writeTar([{ name: 'a.txt', bytes: Uint8Array.of(1, 2, 3) }]);
    for (let i = 0; i < 512; i++) {
      const damaged = Uint8Array.from(archive);
      damaged[i]! ^= 1;
      // What ends the checksum's own digits may be anything.
      if (i === 154 || i === 155) continue;
      expect(() => [...readTar(damaged)], `byte ${i}`).toThrow(PermanentError);
    }
    expect(() => [...readTar(archive.subarray(0, 514), 'x.tar')]).toThrow(/cut off within a\.txt/);
  });
  it('does not write what it would not read', () => {
    for (const name of ['', '/a', '../a', 'a/../b', 'a\0b']) {
      expect(() => writeTar([{ name, bytes: new Uint8Array(0) }])).toThrow(RangeError);
    }
  });
});
