/** What every ImageCodec must do. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RejectedInput } from '#core/errors';
import { resize } from '#core/image/resize';
import type { RgbImage } from '#core/image/rgb-image';
import type { ImageCodec } from '#pipeline/ports';
import { upright, withOrientation } from './exif.ts';
import { checkers, difference, noise, waves } from './generated-pictures.ts';
import { boastingPng, plainPng } from './plain-png.ts';

const text = (content: string) => new TextEncoder().encode(content);
const pngOf = (image: RgbImage) => plainPng({ ...image, channels: 3 });

/** How far a codec's resize may be from core/image/resize: mean and largest absolute difference of 8-bit values. */
export const resizeBounds = {
  /** Enlarging, or shrinking to no less than half: the same filter, other rounding. */
  gentle: { mean: 0.75, max: 16 },
  /** Shrinking further: the codec may average blocks first. */
  strong: { mean: 3, max: 40 },
};

export function expectClose(actual: RgbImage, expected: RgbImage, bound: { mean: number; max: number }): void {
  const { mean, max } = difference(actual, expected);
  expect(mean).toBeLessThanOrEqual(bound.mean);
  expect(max).toBeLessThanOrEqual(bound.max);
}

/** @param codec a ready codec */
export function imageCodecContract(name: string, codec: ImageCodec): void {
  describe(`${name} decodes`, () => {
    it('the very pixels of a lossless file, with no note', async () => {
      const image = noise(37, 21);
      expect(await codec.decode(pngOf(image))).toEqual({ image, width: 37, height: 21, notes: [] });
    });

    it('into memory that can be moved to a thread', async () => {
      const bytes = pngOf(noise(40, 30, 1));
      const size = { width: 20, height: 15 };
      const pictures = [(await codec.decode(bytes)).image, (await codec.decode(bytes, () => size)).image];
      pictures.push(await codec.resize(pictures[0]!, 20, 15));
      for (const { data } of pictures) {
        const buffer = data.buffer as ArrayBuffer;
        expect(() => structuredClone(data, { transfer: [buffer] })).not.toThrow();
        expect(buffer.byteLength).toBe(0);
      }
    });

    it('grey as RGB', async () => {
      const grey = Uint8Array.from({ length: 12 }, (_, i) => 20 * i);
      const { image } = await codec.decode(plainPng({ width: 4, height: 3, channels: 1, data: grey }));
      expect([...image.data]).toEqual([...grey].flatMap(value => [value, value, value]));
    });

    it('16 bits as 8, with a note', async () => {
      const data = Uint16Array.from({ length: 27 }, (_, i) => 2427 * i);
      const { image, notes } = await codec.decode(plainPng({ width: 3, height: 3, channels: 3, data, bits: 16 }));
      data.forEach((value, i) => {
        expect(Math.abs(image.data[i]! - value / 257)).toBeLessThanOrEqual(1);
      });
      expect(notes).toEqual(['16 bits per channel reduced to 8']);
    });

    it('transparency as paint on white paper, with a note only where there is any', async () => {
      const rgba = [0, 0, 0, 0, 200, 100, 0, 255, 200, 100, 0, 128, 0, 0, 255, 1];
      const { image, notes } = await codec.decode(plainPng({ width: 2, height: 2, channels: 4, data: rgba }));
      const expected = [255, 255, 255, 200, 100, 0, 227.4, 177.2, 127, 254, 254, 255];
      expected.forEach((value, i) => {
        expect(Math.abs(image.data[i]! - value)).toBeLessThanOrEqual(1);
      });
      expect(notes).toEqual(['transparency blended over white']);
      const opaque = rgba.map((value, i) => (i % 4 === 3 ? 255 : value));
      const covered = await codec.decode(plainPng({ width: 2, height: 2, channels: 4, data: opaque }));
      expect(covered.notes).toEqual([]);
    });

    const turns = [1, 2, 3, 4, 5, 6, 7, 8].flatMap(orientation => [
      { orientation, width: 160, height: 96 },
      { orientation, width: 161, height: 99 },
    ]);

    it.each(turns)('EXIF orientation $orientation of $width × $height upright, whole and shrunk', async turn => {
      const stored = waves(turn.width, turn.height);
      const jpeg = withOrientation(await codec.encodeJpeg(stored, 95), turn.orientation);
      const expected = upright(stored, turn.orientation);
      const shownSizes: unknown[] = [];
      const full = await codec.decode(jpeg, shown => {
        shownSizes.push(shown);
        return shown;
      });
      expect(shownSizes).toEqual([{ width: expected.width, height: expected.height }]);
      expectClose(full.image, expected, { mean: 3, max: 40 });
      const quarter = (side: number) => Math.round(side / 4);
      const small = await codec.decode(jpeg, shown => ({ width: quarter(shown.width), height: quarter(shown.height) }));
      expect(small).toMatchObject({ width: expected.width, height: expected.height, notes: [] });
      const exact = resize(expected, quarter(expected.width), quarter(expected.height));
      expectClose(small.image, exact, { mean: 1.5, max: 12 });
    });
  });

  describe(`${name} resizes`, () => {
    const pictures = { waves: waves(200, 150), noise: noise(200, 150), checkers: checkers(200, 150) };
    const sizes = [
      [200, 150, 'gentle'],
      [280, 190, 'gentle'],
      [201, 151, 'gentle'],
      [260, 100, 'gentle'],
      [130, 149, 'gentle'],
      [100, 75, 'gentle'],
      [60, 50, 'strong'],
      [31, 22, 'strong'],
      [7, 149, 'strong'],
      [1, 1, 'strong'],
    ] as const;

    it.each(sizes)('to %i × %i as the exact filter does, within the %s bound', async (width, height, bound) => {
      for (const picture of Object.values(pictures)) {
        expectClose(await codec.resize(picture, width, height), resize(picture, width, height), resizeBounds[bound]);
      }
    });

    it.each(sizes)('to %i × %i while decoding, to exactly this size', async (width, height, bound) => {
      const { image } = await codec.decode(pngOf(pictures.checkers), () => ({ width, height }));
      expect(image).toMatchObject({ width, height });
      expectClose(image, resize(pictures.checkers, width, height), resizeBounds[bound]);
    });

    it('a JPEG while decoding, close to resizing what was decoded', async () => {
      const jpeg = await codec.encodeJpeg(waves(1600, 1203), 95);
      const full = await codec.decode(jpeg);
      for (const [width, height] of [
        [800, 600],
        [333, 256],
        [99, 70],
      ] as const) {
        const { image } = await codec.decode(jpeg, () => ({ width, height }));
        expectClose(image, resize(full.image, width, height), resizeBounds.strong);
      }
    });
  });

  describe(`${name} refuses`, () => {
    const png = pngOf(waves(64, 48));
    const cases: readonly (readonly [string, Uint8Array, string])[] = [
      ['an empty file', new Uint8Array(0), 'an empty file'],
      ['text', text('These are notes, not a photo.\n'), 'not a picture but plain text'],
      ['noise', noise(30, 30, 5).data, 'not a picture of any known kind'],
      [
        'an SVG drawing',
        text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'),
        'an SVG drawing, not a photo; only pictures made of pixels are accepted',
      ],
      ['half a PNG', png.subarray(0, png.length / 2), 'a PNG file cut short: it ends before the picture does'],
      [
        'one pixel',
        plainPng({ width: 1, height: 9, channels: 1, data: new Uint8Array(9) }),
        'too small: 1 × 9 pixels; both sides need at least 2',
      ],
    ];

    it.each(cases)('%s, with a reason for people', async (_, bytes, reason) => {
      const failure = await codec.decode(bytes).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failure).toBeInstanceOf(RejectedInput);
      expect((failure as Error).message).toBe(reason);
    });

    it('a picture of billions of pixels, before decoding it', async () => {
      const refusal = expect(codec.decode(boastingPng(60000, 60000))).rejects;
      await refusal.toThrow('too large: 60000 × 60000 pixels; at most 50 million pixels are accepted');
    });

    it('no file by crashing: cut anywhere or with any byte changed, it decodes or is rejected', async () => {
      const jpeg = await codec.encodeJpeg(waves(64, 48), 90);
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(png, jpeg),
          fc.nat(),
          fc.nat(),
          fc.integer({ min: 0, max: 255 }),
          async (file, cut, place, value) => {
            const bytes = file.slice(0, cut % 3 === 0 ? cut % file.length : file.length);
            if (bytes.length > 0) bytes[place % bytes.length] = value;
            const failure = await codec
              .decode(bytes, () => ({ width: 32, height: 24 }))
              .then(
                ({ image }) => {
                  expect(image.data.length).toBe(32 * 24 * 3);
                },
                (error: unknown) => error,
              );
            if (failure !== undefined) expect(failure).toBeInstanceOf(RejectedInput);
          },
        ),
        { numRuns: 60 },
      );
    });
  });

  describe(`${name} packs`, () => {
    it('a JPEG that looks like the picture, smaller with less quality', async () => {
      const picture = waves(120, 80);
      const good = await codec.encodeJpeg(picture, 92);
      expectClose((await codec.decode(good)).image, picture, { mean: 3, max: 40 });
      expect((await codec.encodeJpeg(picture, 30)).length).toBeLessThan(good.length);
    });

    it('bytes so that they come back', async () => {
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), fc.boolean(), async (bytes, runs) => {
          const packed = await codec.deflate(bytes, runs);
          expect(await codec.inflate(packed, Math.max(bytes.length, 1))).toEqual(bytes);
        }),
      );
    });

    it('small where they come in runs, and are said to', async () => {
      const rows = Uint8Array.from({ length: 60_000 }, (_, i) => Math.floor(i / 100) % 7);
      expect((await codec.deflate(rows, true)).length).toBeLessThan(1500);
    });

    it('and unpacks no further than the limit', async () => {
      const packed = await codec.deflate(new Uint8Array(1_000_000));
      expect((await codec.inflate(packed, 1_000_000)).length).toBe(1_000_000);
      await expect(codec.inflate(packed, 999_999)).rejects.toThrow(
        new RejectedInput('unpacks to more than 999999 bytes'),
      );
      const damaged = new RejectedInput('its packed data is damaged');
      await expect(codec.inflate(packed.subarray(0, 40), 1_000_000)).rejects.toThrow(damaged);
      await expect(codec.inflate(text('no zlib at all'), 100)).rejects.toThrow(damaged);
    });
  });
}
