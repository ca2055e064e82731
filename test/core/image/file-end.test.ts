import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { endsEarly } from '#core/image/file-end';
import type { PhotoFormat } from '#core/image/file-kind';
import { Random } from '#core/random';

const random = new Random(3);
const [width, height] = [40, 30];
const picture = () =>
  sharp(
    Uint8Array.from({ length: 3 * width * height }, () => random.integer(256)),
    { raw: { width, height, channels: 3 } },
  );

const files: readonly (readonly [PhotoFormat, string, () => Promise<Uint8Array>])[] = [
  ['JPEG', 'plain', () => picture().jpeg().toBuffer()],
  [
    'JPEG',
    'progressive, with EXIF',
    () => picture().withMetadata({ orientation: 6 }).jpeg({ progressive: true }).toBuffer(),
  ],
  ['PNG', 'plain', () => picture().png().toBuffer()],
  ['GIF', 'plain', () => picture().gif().toBuffer()],
  ['WebP', 'plain', () => picture().webp().toBuffer()],
  ['AVIF', 'plain', () => picture().avif().toBuffer()],
  ['TIFF', 'plain', () => picture().tiff().toBuffer()],
];

describe.each(files)('a %s file, %s', (format, _, make) => {
  it('does not end early as it is', async () => {
    expect(endsEarly(await make(), format)).toBe(false);
  });

  it('does wherever it is cut', async () => {
    const bytes = await make();
    for (let cut = 0; cut < 60; cut++) {
      const end = 2 + random.integer(bytes.length - 3);
      expect(endsEarly(bytes.subarray(0, end), format), `${end} of ${bytes.length}`).toBe(true);
    }
  });
});

it('an animated GIF with a comment ends where its last frame does', async () => {
  const frames = await sharp([await picture().png().toBuffer(), await picture().png().toBuffer()], {
    join: { animated: true },
  })
    .gif()
    .toBuffer();
  expect(endsEarly(frames, 'GIF')).toBe(false);
  expect(endsEarly(frames.subarray(0, -1), 'GIF')).toBe(true);
});
