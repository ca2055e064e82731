/** Label maps in PNG files: every form that can hold ids is read, ours are read by others, the rest is refused. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { PermanentError } from '#core/errors';
import {
  decodeIndexPng,
  encodeImageNetSPng,
  encodeIndexPng,
  encodeOverlayPng,
  largestPixelCount,
} from '#core/formats/png-index';
import type { LabelMap } from '#core/labels/label-map';
import { colourOf } from '#core/labels/palette';
import { chunk, header, pngSignature, writeReferencePng } from './png-reference.ts';
import { deflate, inflate } from './zlib-port.ts';

const mapOf = (width: number, height: number, idOf: (x: number, y: number) => number): LabelMap => ({
  width,
  height,
  data: Uint16Array.from({ length: width * height }, (_, i) => idOf(i % width, Math.floor(i / width))),
});

const labelMaps = (highest: number) =>
  fc
    .record({ width: fc.integer({ min: 1, max: 40 }), height: fc.integer({ min: 1, max: 40 }) })
    .chain(({ width, height }) =>
      fc
        .array(fc.integer({ min: 0, max: highest }), { minLength: width * height, maxLength: width * height })
        .map((ids): LabelMap => ({ width, height, data: Uint16Array.from(ids) })),
    );

const raw = async (png: Uint8Array) => {
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  return { data, channels: info.channels };
};

describe('reading', () => {
  const fixture = JSON.parse(readFileSync(new URL('../../fixtures/png-pillow.json', import.meta.url), 'utf8'));
  it.each(fixture.cases as { name: string; kind: string; width: number; height: number; png: string; ids: number[] }[])(
    'takes the stored values of a file by Pillow: $name',
    async ({ png, ids, ...expected }) => {
      const read = await decodeIndexPng(Buffer.from(png, 'base64'), inflate);
      expect({ width: read.width, height: read.height, kind: read.kind }).toEqual({
        width: expected.width,
        height: expected.height,
        kind: expected.kind,
      });
      expect([...read.ids]).toEqual(ids);
    },
  );

  const forms = [
    ...[1, 2, 4, 8].map(depth => ({ colourType: 3, depth, channels: 1, kind: 'index8' })),
    ...[1, 2, 4, 8].map(depth => ({ colourType: 0, depth, channels: 1, kind: 'grey8' })),
    { colourType: 0, depth: 16, channels: 1, kind: 'grey16' },
    { colourType: 2, depth: 8, channels: 3, kind: 'rgb' },
    { colourType: 6, depth: 8, channels: 4, kind: 'rgb' },
    { colourType: 4, depth: 8, channels: 2, kind: 'grey8' },
    { colourType: 4, depth: 16, channels: 2, kind: 'grey16' },
  ];
  it.each(forms)('colour type $colourType of $depth bits, every filter, interlaced or not', async form => {
    const pictures = fc
      .record({
        width: fc.integer({ min: 1, max: 19 }),
        height: fc.integer({ min: 1, max: 19 }),
        interlaced: fc.boolean(),
        filters: fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 6 }),
        pieces: fc.integer({ min: 1, max: 3 }),
      })
      .chain(shape => {
        const length = shape.width * shape.height * form.channels;
        const sample = fc.integer({ min: 0, max: 2 ** form.depth - 1 });
        return fc.array(sample, { minLength: length, maxLength: length }).map(samples => ({ ...shape, samples }));
      });
    await fc.assert(
      fc.asyncProperty(pictures, async ({ pieces, ...picture }) => {
        const palette = form.colourType === 3 ? [chunk('PLTE', new Uint8Array(3))] : [];
        const read = await decodeIndexPng(writeReferencePng({ ...picture, ...form }, palette, pieces), inflate);
        const ids = Array.from({ length: picture.width * picture.height }, (_, i) =>
          form.channels >= 3
            ? picture.samples[i * form.channels]! + 256 * picture.samples[i * form.channels + 1]!
            : picture.samples[i * form.channels]!,
        );
        expect([...read.ids]).toEqual(ids);
        expect(read.kind).toBe(form.kind);
      }),
      { numRuns: 40 },
    );
  });

  it('reads what libvips interlaces', async () => {
    const values = Uint8Array.from({ length: 50 * 33 }, (_, i) => (i * 7) % 251);
    const png = await sharp(values, { raw: { width: 50, height: 33, channels: 1 } })
      .toColourspace('b-w')
      .png({ progressive: true })
      .toBuffer();
    expect(png[28]).toBe(1);
    expect((await decodeIndexPng(png, inflate)).ids).toEqual(Uint16Array.from(values));
  });

  it('keeps 16-bit values whole: the ignored id 1000 of ImageNet-S is (232, 3)', async () => {
    const png = await sharp(Uint8Array.of(232, 3, 0, 50, 0, 0), { raw: { width: 2, height: 1, channels: 3 } })
      .png()
      .toBuffer();
    expect([...(await decodeIndexPng(png, inflate)).ids]).toEqual([1000, 50]);
  });
});

describe('refusing', () => {
  const refusal = (bytes: Uint8Array) =>
    decodeIndexPng(bytes, inflate, 'a/b.png').then(
      () => expect.fail('was read'),
      (error: unknown) => {
        expect(error).toBeInstanceOf(PermanentError);
        expect((error as Error).message).toMatch(/^a\/b\.png /);
        expect((error as Error).message).not.toContain('\n');
        return (error as Error).message;
      },
    );
  const small = () =>
    encodeIndexPng(
      mapOf(9, 7, (x, y) => (x * y) % 5),
      { deflate },
    );

  it('a JPEG, by name', async () => {
    const jpeg = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
      .jpeg()
      .toBuffer();
    expect(await refusal(jpeg)).toMatch(/is a JPEG.*PNG/);
  });
  it('an empty file and text', async () => {
    expect(await refusal(new Uint8Array(0))).toMatch(/empty/);
    expect(await refusal(Buffer.from('hello'))).toMatch(/not a PNG/);
  });
  it('16-bit RGB', async () => {
    const png = await sharp(new Uint16Array(3 * 4), { raw: { width: 2, height: 2, channels: 3 } })
      .toColourspace('rgb16')
      .png()
      .toBuffer();
    expect(await refusal(png)).toMatch(/16-bit RGB/);
  });
  it('a header that promises too many pixels, before unpacking', async () => {
    const png = Buffer.concat([pngSignature, header(60000, 60000, 1, 0), chunk('IDAT', deflateNothing)]);
    expect(await refusal(Buffer.concat([png, chunk('IEND', new Uint8Array(0))]))).toContain(`${largestPixelCount}`);
  });
  it.each([11, 13])('pixel data that unpacks to %i bytes where 12 belong', async size => {
    const data = await deflate(new Uint8Array(size), false);
    const png = [pngSignature, header(3, 3, 8, 0), chunk('IDAT', data), chunk('IEND', new Uint8Array(0))];
    expect(await refusal(Buffer.concat(png))).toMatch(/damaged/);
  });
  it('a filter that does not exist', async () => {
    const data = await deflate(Uint8Array.of(9, 1, 2, 3), false);
    const png = Buffer.concat([
      pngSignature,
      header(3, 1, 8, 0),
      chunk('IDAT', data),
      chunk('IEND', new Uint8Array(0)),
    ]);
    expect(await refusal(png)).toMatch(/filter 9/);
  });
  it('a file cut off anywhere', async () => {
    const png = await small();
    for (let length = 0; length < png.length; length++) await refusal(png.subarray(0, length));
  });
  it('a file with any one byte changed', async () => {
    const png = await small();
    for (let i = 0; i < png.length; i++) {
      const changed = Uint8Array.from(png);
      changed[i]! ^= 1 << (i % 8);
      await refusal(changed);
    }
  });
});

const deflateNothing = Uint8Array.of(0x78, 0x9c, 0x03, 0, 0, 0, 0, 1);

describe('writing', () => {
  it('round trip of any map, in each form', async () => {
    await fc.assert(
      fc.asyncProperty(labelMaps(255), labelMaps(65535), async (small, large) => {
        const palette = await decodeIndexPng(await encodeIndexPng(small, { deflate }), inflate);
        expect(palette).toEqual({ width: small.width, height: small.height, ids: small.data, kind: 'index8' });
        const grey = await decodeIndexPng(await encodeIndexPng(large, { deflate, highest: 65535 }), inflate);
        expect(grey).toEqual({ width: large.width, height: large.height, ids: large.data, kind: 'grey16' });
        const coded = await decodeIndexPng(await encodeImageNetSPng(large, deflate), inflate);
        expect(coded).toEqual({ width: large.width, height: large.height, ids: large.data, kind: 'rgb' });
      }),
      { numRuns: 60 },
    );
  });

  it('the form follows the set, not the map: K = 255 palette, K = 256 grey', async () => {
    const empty = mapOf(4, 4, () => 0);
    const kindFor = async (highest: number) =>
      (await decodeIndexPng(await encodeIndexPng(empty, { deflate, highest }), inflate)).kind;
    expect(await kindFor(255)).toBe('index8');
    expect(await kindFor(256)).toBe('grey16');
    await expect(
      encodeIndexPng(
        mapOf(2, 2, () => 7),
        { deflate, highest: 6 },
      ),
    ).rejects.toThrow(/id 7, above 6/);
  });

  it('libvips sees our palette: each pixel in the colour of its id', async () => {
    const map = mapOf(16, 16, (x, y) => y * 16 + x);
    const { data, channels } = await raw(await encodeIndexPng(map, { deflate }));
    for (let i = 0; i < 256; i++) expect([...data.subarray(i * channels, i * channels + 3)]).toEqual([...colourOf(i)]);
  });

  it('libvips reads 16-bit grey and the label code as we do', async () => {
    const map = mapOf(5, 3, (x, y) => x * 4000 + y * 301);
    const grey = sharp(await encodeIndexPng(map, { deflate, highest: 300 * 100 })).toColourspace('grey16');
    const values = await grey.raw({ depth: 'ushort' }).toBuffer();
    expect(new Uint16Array(values.buffer, values.byteOffset, 15)).toEqual(map.data);
    const { data } = await raw(await encodeImageNetSPng(map, deflate));
    expect(Uint16Array.from({ length: 15 }, (_, i) => data[3 * i]! + 256 * data[3 * i + 1]!)).toEqual(map.data);
    expect([...data].filter((_, i) => i % 3 === 2)).toEqual(new Array(15).fill(0));
  });

  it.each([
    ['few ids', 7, 40],
    ['more ids than a palette holds', 400, 400],
  ])('overlay: background transparent, the rest in colour (%s)', async (_, ids, width) => {
    const map = mapOf(width, 4, (x, y) => (y < 2 ? 0 : ((x % ids) + 1) * 3));
    const { data, channels } = await raw(await encodeOverlayPng(map, { deflate, alpha: 140 }));
    expect(channels).toBe(4);
    for (let i = 0; i < map.data.length; i++) {
      const [red, green, blue, alpha] = data.subarray(4 * i, 4 * i + 4);
      expect(alpha).toBe(map.data[i] === 0 ? 0 : 140);
      if (map.data[i] !== 0) expect([red, green, blue]).toEqual([...colourOf(map.data[i]!)]);
    }
  });
});
