/** Every export format, read back: each pixel has its class's name, holes, touching regions and odd names included. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PermanentError } from '#core/errors';
import type { LabelledImage } from '#core/formats/exporter';
import { type ExportFormat, exporters, exportFormats } from '#core/formats/exporters';
import { ignoreClasses, mergeClasses, renameClass } from '#core/labels/class-edits';
import { applyClasses, type ClassMap, defaultClasses, keptClasses } from '#core/labels/class-map';
import type { LabelMap } from '#core/labels/label-map';
import { stemOf } from '#core/labels/label-path';
import { readExport } from './export-readers.ts';
import { awkwardMaps, labelMaps } from './label-maps.ts';
import { deflate } from './zlib-port.ts';

interface Photo {
  image: string;
  map: LabelMap;
}

async function* labelled(photos: readonly Photo[], classes: ClassMap): AsyncGenerator<LabelledImage> {
  for (const { image, map } of photos)
    yield { image, name: stemOf(image), map: applyClasses(map, classes), confidence: 0.5 };
}

async function exported(format: ExportFormat, photos: readonly Photo[], classes: ClassMap) {
  const files = new Map<string, Uint8Array>();
  const context = { classes: keptClasses(classes), source: 'my <model>', deflate };
  for await (const { key, bytes } of exporters[format](labelled(photos, classes), context)) {
    if (files.has(key)) throw new Error(`${key} is written twice`);
    files.set(key, bytes);
  }
  return files;
}

/** What an export must say: straight from label ids to names, by the class map. */
function expected({ image, map }: Photo, { classes }: ClassMap) {
  const names = Array.from(map.data, label => {
    const item = classes.find(({ clusters }) => clusters.some(cluster => cluster + 1 === label));
    return item && !item.ignore ? item.name : '';
  });
  return { image, width: map.width, height: map.height, names };
}

async function expectRoundTrip(format: ExportFormat, photos: readonly Photo[], classes: ClassMap) {
  const files = await exported(format, photos, classes);
  const sizes = new Map(photos.flatMap(({ image, map }) => [image, stemOf(image)].map(key => [key, map] as const)));
  for (const pictures of await readExport(format, files, sizes)) {
    expect(pictures.size).toBe(photos.length);
    for (const photo of photos) {
      const read = pictures.get(photo.image) ?? pictures.get(stemOf(photo.image));
      expect({ image: photo.image, ...read }).toMatchObject(expected(photo, classes));
    }
  }
  return files;
}

/** Renamed to what may hurt a format, merged and ignored so that ids have gaps. */
function oddClasses(k: number): ClassMap {
  const named = renameClass(renameClass(defaultClasses(k), '2', 'Straße & <"\'>, 猫 🐈'), '3', '- yes\\no | {x}');
  return k < 6 ? named : ignoreClasses(mergeClasses(named, ['5', '1']), ['4'], true);
}

describe.each(exportFormats)('%s', format => {
  const awkward = Object.entries(awkwardMaps).map(([name, map], i) => ({
    image: `${i % 2 ? 'ordner ü/' : ''}${name} #${i}&%20+.jpg`,
    map,
  }));

  it('keeps every pixel of the shapes that other tools get wrong', async () => {
    await expectRoundTrip(format, awkward, oddClasses(7));
  });

  it('keeps every pixel of any maps', async () => {
    const photos = fc.array(labelMaps({ side: 9, ids: [1, 2, 5, 7] }), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(photos, async maps => {
        await expectRoundTrip(
          format,
          maps.map((map, i) => ({ image: `${i}.png`, map })),
          oddClasses(7),
        );
      }),
      { numRuns: 40 },
    );
  });

  // The odd classes are two fewer than k (one merged, one ignored); VOC refuses more than 254 in a test of its own.
  it.each(format === 'voc' ? [100, 256] : [256, 257, 300, 919])('holds %i clusters', async k => {
    const map = { width: 31, height: 30, data: Uint16Array.from({ length: 930 }, (_, i) => (i * 7 + k) % (k + 1)) };
    const small = { width: 2, height: 1, data: Uint16Array.of(k, 1) };
    await expectRoundTrip(
      format,
      [
        { image: 'a.jpg', map },
        { image: 'b.jpg', map: small },
      ],
      oddClasses(k),
    );
  });

  it('writes an empty export for no images and no classes', async () => {
    const empty = { version: 1, classes: [] };
    await expectRoundTrip(format, [], empty);
    await expectRoundTrip(format, [{ image: 'a.jpg', map: awkwardMaps['nothing at all']! }], empty);
  });

  it('writes the same bytes for the same labels', async () => {
    expect(await exported(format, awkward, oddClasses(7))).toEqual(await exported(format, awkward, oddClasses(7)));
  });
});

describe('voc', () => {
  it('refuses more classes than a byte can tell apart, and says what to do', async () => {
    await expect(exported('voc', [], defaultClasses(255))).rejects.toThrow(PermanentError);
    await expect(exported('voc', [], defaultClasses(255))).rejects.toThrow(/at most 254 classes.*255.*export coco/);
  });
  it('says which name it cannot hold, and what to do', async () => {
    const classes = renameClass(defaultClasses(2), '2', 'a:b');
    await expect(exported('voc', [], classes)).rejects.toThrow(PermanentError);
    await expect(exported('voc', [], classes)).rejects.toThrow(/class 2 “a:b”.*rename/);
  });
});

describe('label-studio', () => {
  it('splits many images over files of a thousand', async () => {
    const map = { width: 1, height: 1, data: Uint16Array.of(1) };
    const photos = Array.from({ length: 2001 }, (_, i) => ({ image: `${i}.jpg`, map }));
    const files = await expectRoundTrip('label-studio', photos, defaultClasses(1));
    expect([...files.keys()]).toEqual(['tasks-0001.json', 'tasks-0002.json', 'tasks-0003.json', 'labeling-config.xml']);
  });
});
