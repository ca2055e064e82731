import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { sharp } from '#adapters/sharp/photo-loaders';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { RejectedInput } from '#core/errors';
import { modelSize, productSizeRule } from '#core/image/model-input';
import { resize } from '#core/image/resize';
import { checkers, difference, waves } from '../contracts/generated-pictures.ts';
import { expectClose, imageCodecContract, resizeBounds } from '../contracts/image-codec.ts';
import { dataFolder, dataMissing } from '../contracts/test-data.ts';

const codec = new SharpCodec(2);

imageCodecContract('SharpCodec', codec);

const made = (picture = waves(64, 48)) =>
  sharp(picture.data, { raw: { width: picture.width, height: picture.height, channels: 3 } });

describe('SharpCodec reads every photo format', () => {
  it.each(['jpeg', 'png', 'gif', 'webp', 'tiff', 'avif'] as const)('%s', async format => {
    const picture = waves(64, 48);
    const bytes = await made().toFormat(format).toBuffer();
    const { image, notes } = await codec.decode(bytes);
    expectClose(image, picture, { mean: 6, max: 60 });
    expect(notes).toEqual([]);
  });

  it('the first page of a TIFF with several, and says so', async () => {
    const pages = Buffer.concat([waves(32, 20).data, checkers(32, 20).data]);
    const bytes = await sharp(pages, { raw: { width: 32, height: 40, channels: 3, pageHeight: 20 } })
      .tiff()
      .toBuffer();
    const { image, notes, height } = await codec.decode(bytes);
    expect(height).toBe(20);
    expectClose(image, waves(32, 20), { mean: 4, max: 60 });
    expect(notes).toEqual(['first of 2 pages taken']);
  });

  it('a JPEG with a flaw that viewers overlook, and says so', async () => {
    const bytes = await made(waves(400, 300)).jpeg({ progressive: true }).toBuffer();
    for (let i = 1; i < 6; i++) bytes[Math.floor((bytes.length * (i + 1)) / 8)]! ^= 0x5a;
    const { notes, width } = await codec.decode(bytes);
    expect(width).toBe(400);
    expect(notes).toEqual(['slightly damaged; decoded as far as possible']);
  });
});

describe('SharpCodec refuses what is no photo', () => {
  const refuse = (bytes: Uint8Array, reason: string) =>
    expect(codec.decode(bytes)).rejects.toThrow(new RejectedInput(reason));

  it('cut files of every format, each called by its name', async () => {
    for (const [format, name] of [
      ['jpeg', 'JPEG'],
      ['png', 'PNG'],
      ['gif', 'GIF'],
      ['webp', 'WebP'],
      ['tiff', 'TIFF'],
      ['avif', 'AVIF'],
    ] as const) {
      const bytes = await made().toFormat(format).toBuffer();
      for (const share of [0.2, 0.4]) {
        await refuse(
          bytes.subarray(0, bytes.length * share),
          `a ${name} file cut short: it ends before the picture does`,
        );
      }
    }
  });

  it('numbers that are no 8- or 16-bit colours', async () => {
    const numbers = Float32Array.from({ length: 12 * 12 * 3 }, (_, i) => i / 432);
    const floats = sharp(numbers, { raw: { width: 12, height: 12, channels: 3 } });
    const bytes = await floats.toColourspace('scrgb').tiff({ compression: 'none' }).toBuffer();
    await refuse(bytes, 'its pixels are not stored in 8 or 16 bits; save it as an 8-bit picture');
  });

  it('drawings by the library too, should one ever pass as a photo', async () => {
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    await expect(sharp(svg).metadata()).rejects.toThrow('unsupported image format');
  });

  it('with reasons that name no function, library or folder', async () => {
    for (const format of ['jpeg', 'png', 'gif', 'webp', 'tiff', 'avif'] as const) {
      const good = await made().toFormat(format).toBuffer();
      for (let place = 0; place < good.length; place += Math.ceil(good.length / 40)) {
        const bytes = Buffer.from(good);
        bytes[place]! ^= 0xff;
        const reason = await codec.decode(bytes).then(
          () => '',
          (error: Error) => error.message,
        );
        expect(reason).not.toMatch(/vips|libpng|libspng|buffer|load|heif|undefined|Error|\/|\n/);
      }
    }
  });
});

describe('SharpCodec keeps memory bounded', () => {
  it('refuses a picture of 3.6 billion pixels with little memory', () => {
    const script = `
      const { SharpCodec } = await import('#adapters/sharp/sharp-codec');
      const { boastingPng } = await import('./test/contracts/plain-png.ts');
      const before = process.resourceUsage().maxRSS;
      const reason = await new SharpCodec().decode(boastingPng(60000, 60000)).catch(error => error.message);
      console.log(JSON.stringify({ reason, grownKilobytes: process.resourceUsage().maxRSS - before }));`;
    const cwd = fileURLToPath(new URL('../..', import.meta.url));
    const { stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      cwd,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    const { reason, grownKilobytes } = JSON.parse(stdout);
    expect(reason).toMatch(/^too large: 60000 × 60000/);
    expect(grownKilobytes).toBeLessThan(60_000);
  });

  it('decodes no more at once than it was told', async () => {
    const bytes = await made(waves(300, 200)).jpeg().toBuffer();
    const narrow = new SharpCodec(1);
    let inside = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 6 }, async () => {
        const { width } = await narrow.decode(bytes, shown => {
          most = Math.max(most, ++inside);
          return shown;
        });
        inside--;
        expect(width).toBe(300);
      }),
    );
    expect(most).toBe(1);
  });
});

describe.skipIf(dataMissing)(`SharpCodec on awkward files${dataMissing}`, () => {
  const odd = (name: string) => new Uint8Array(readFileSync(`${dataFolder}/odd/${name}`));

  const accepted: readonly (readonly [string, number, number, readonly string[]])[] = [
    ['cmyk-no-profile.jpg', 500, 333, ['CMYK converted to RGB']],
    ['cmyk-with-profile.jpg', 500, 333, ['CMYK converted to RGB']],
    ['rgb-16bit.png', 900, 600, ['16 bits per channel reduced to 8']],
    [
      'pngsuite-rgb-16bit-trns-tbgn2c16.png',
      32,
      32,
      ['16 bits per channel reduced to 8', 'transparency blended over white'],
    ],
    ['gray-alpha-8bit.png', 400, 300, ['transparency blended over white']],
    ['pngsuite-gray-alpha-bgbn4a08.png', 32, 32, ['transparency blended over white']],
    ['exif-orientation-6.jpg', 600, 450, []],
    ['exif-orientation-3.jpg', 450, 600, []],
    ['animated.gif', 80, 80, ['first of 30 frames taken', 'transparency blended over white']],
    ['animated.webp', 370, 285, ['first of 10 frames taken']],
    ['animated-tall.webp', 13, 169, ['first of 97 frames taken']],
  ];

  it.each(accepted)('%s is %i × %i', async (name, width, height, notes) => {
    const decoded = await codec.decode(odd(name));
    expect(decoded).toMatchObject({ width, height, notes });
    expect(decoded.image).toMatchObject({ width, height });
    expect(decoded.image.data.length).toBe(width * height * 3);
    const size = modelSize({ width, height }, productSizeRule);
    const fitted = await codec.decode(odd(name), shown => modelSize(shown, productSizeRule));
    expect(fitted.image).toMatchObject(size);
    expectClose(fitted.image, resize(decoded.image, size.width, size.height), resizeBounds.strong);
  });

  const rejected: readonly (readonly [string, string])[] = [
    ['truncated.jpg', 'a JPEG file cut short: it ends before the picture does'],
    ['truncated.png', 'a PNG file cut short: it ends before the picture does'],
    ['corrupt-header.jpg', 'a JPEG file cut short: it ends before the picture does'],
    ['huge-65536x65536.png', 'too large: 65536 × 65536 pixels; at most 50 million pixels are accepted'],
  ];

  it.each(rejected)('%s is rejected: %s', async (name, reason) => {
    await expect(codec.decode(odd(name))).rejects.toThrow(new RejectedInput(reason));
  });

  it('every file of the folder has a line above', () => {
    const named = [...accepted, ...rejected].map(([name]) => name);
    expect(named.sort()).toEqual(readdirSync(`${dataFolder}/odd`).sort());
  });

  it('turned photos show the scene upright: sky above, the same scene in both', async () => {
    const landscape = (await codec.decode(odd('exif-orientation-6.jpg'), () => ({ width: 8, height: 8 }))).image;
    const portrait = (await codec.decode(odd('exif-orientation-3.jpg'), () => ({ width: 8, height: 8 }))).image;
    for (const { data } of [landscape, portrait]) {
      const blue = (y: number) => data[(y * 8 + 4) * 3 + 2]! - data[(y * 8 + 4) * 3]!;
      expect(blue(0)).toBeGreaterThan(blue(7));
    }
  });
});

describe.skipIf(dataMissing)(`SharpCodec on photos${dataMissing}`, () => {
  it('resizes as the exact filter does, to within the bounds', async () => {
    const folder = `${dataFolder}/segmentation/coco128/images`;
    for (const name of readdirSync(folder).slice(0, 12)) {
      const bytes = new Uint8Array(readFileSync(`${folder}/${name}`));
      const { image } = await codec.decode(bytes);
      for (const [scale, bound] of [
        [0.8, 'gentle'],
        [0.5, 'gentle'],
        [1.1, 'gentle'],
        [0.3, 'strong'],
        [0.1, 'strong'],
      ] as const) {
        const [width, height] = [Math.round(image.width * scale), Math.round(image.height * scale)];
        const exact = resize(image, width, height);
        expectClose(await codec.resize(image, width, height), exact, resizeBounds[bound]);
        const whileDecoding = (await codec.decode(bytes, () => ({ width, height }))).image;
        expect(difference(whileDecoding, exact).mean).toBeLessThanOrEqual(resizeBounds[bound].mean + 1);
      }
    }
  });
});
