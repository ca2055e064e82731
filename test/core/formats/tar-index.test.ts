/** The index of a tar archive against the archive read as a whole, however it is cut into pieces. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTar, writeTar } from '#core/formats/tar';
import { formatTarIndex, parseTarIndex, type TarMember, TarWalk } from '#core/formats/tar-index';

function walked(archive: Uint8Array, pieces: readonly number[]): TarMember[] {
  const walk = new TarWalk('a.tar');
  const members: TarMember[] = [];
  for (let at = 0, i = 0; at < archive.length; i++) {
    const length = pieces[i % pieces.length]!;
    members.push(...walk.feed(archive.subarray(at, at + length)));
    at += length;
  }
  walk.end();
  return members;
}

const name = fc.constantFrom('a.jpg', 'b/c.png', 'größe.jpg', `${'long/'.repeat(40)}x.jpg`, '日本/写真.jpg');
const entry = fc.record({ name, bytes: fc.uint8Array({ maxLength: 1500 }) });

describe('TarWalk', () => {
  it('finds what readTar finds, in pieces of any size', () => {
    fc.assert(
      fc.property(
        fc.array(entry, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 5 }),
        (entries, pieces) => {
          const archive = writeTar(entries);
          const found = walked(archive, pieces).map(({ name, start, size }) => ({
            name,
            bytes: archive.slice(start, start + size),
          }));
          expect(found).toEqual([...readTar(archive)].map(({ name, bytes }) => ({ name, bytes: bytes.slice() })));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('says where an archive is cut off or damaged', () => {
    const archive = writeTar([{ name: 'a.jpg', bytes: new Uint8Array(1000) }]);
    expect(() => walked(archive.subarray(0, 700), [100])).toThrow('a.tar is cut off at byte 700');
    expect(() => walked(archive.fill(7, 0, 3), [100])).toThrow('a.tar is no tar archive or is damaged');
  });
});

describe('a tar index', () => {
  it('comes back as it was written', () => {
    const index = { bytes: 2048, members: [{ name: 'ä/b.jpg', start: 512, size: 9 }] };
    expect(parseTarIndex(formatTarIndex(index), 'a.tar.index')).toEqual(index);
  });

  it.each(['no JSON', '{}', '{"version":1,"bytes":600,"members":[["a",512,89]]}'])('refuses %s', text => {
    expect(() => parseTarIndex(new TextEncoder().encode(text), 'a.tar.index')).toThrow(/^a\.tar\.index.*push/);
  });
});
