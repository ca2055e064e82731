/** Ground truth kept in other forms, seen as a folder of masks with its categories.txt: COCO instances, Pascal VOC. */
import { PermanentError } from '#core/errors';
import { type CocoMasks, readCocoMasks } from '#core/formats/coco-masks';
import { encodeIndexPng } from '#core/formats/png-index';
import { maskOf } from './ground-truth.ts';
import type { ImageCodec, ObjectStore } from './ports.ts';

type ReadStore = Pick<ObjectStore, 'get' | 'keys'>;

/** Where masks appear in these stores. */
export const truthMasks = 'masks/';
const categories = 'categories.txt';

/** The instances of a COCO file, painted when they are asked for. @param file its name, for messages. @throws PermanentError */
export function cocoTruth(images: Pick<ImageCodec, 'deflate'>, text: string, file: string): ReadStore {
  const coco = readCocoMasks(text, file);
  const imageOf = new Map(coco.images.map(image => [truthMasks + maskOf(image), image]));
  if (imageOf.size < coco.images.length) {
    throw new PermanentError(
      `${file} lists two images whose names differ by their extension only; evaluate cannot tell them apart`,
    );
  }
  return {
    async get(key) {
      const image = imageOf.get(key);
      if (key === categories) return namesOf(coco.names);
      if (image === undefined) return undefined;
      return encodeIndexPng(coco.paint(image), {
        highest: highestOf(coco),
        deflate: (b, runs) => images.deflate(b, runs),
      });
    },
    async *keys(prefix) {
      for (const key of [...imageOf.keys()].sort()) if (key.startsWith(prefix)) yield key;
    },
  };
}

/** 255 is an ordinary class where there are that many: such masks are 16-bit, in which 1000 is ignored, not 255. */
const highestOf = ({ names }: CocoMasks): number => (names.size >= 255 ? Math.max(names.size, 256) : names.size);

const namesOf = (names: Iterable<readonly [number, string]>): Uint8Array =>
  new TextEncoder().encode([...names].map(([id, name]) => `${id}\t${name.replace(/\s+/g, ' ')}\n`).join(''));

/** The 20 classes of Pascal VOC, where a folder names none of its own. */
const vocNames =
  'aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep sofa train tvmonitor';

const vocMasks = 'SegmentationClass/';

/**
 * A folder in VOC's layout. Names come from `labelmap.txt` (one class per line, the first is background), as `selflabel
 * export` and CVAT write it, else they are VOC's own. Masks are those of `SegmentationClass/`.
 */
export function vocTruth(folder: ReadStore): ReadStore {
  return {
    async get(key) {
      if (key.startsWith(truthMasks)) return folder.get(vocMasks + key.slice(truthMasks.length));
      return key === categories ? vocCategories(await folder.get('labelmap.txt')) : undefined;
    },
    async *keys(prefix) {
      for await (const key of folder.keys(vocMasks)) {
        const name = truthMasks + key.slice(vocMasks.length);
        if (name.startsWith(prefix)) yield name;
      }
    },
  };
}

function vocCategories(labelMap: Uint8Array | undefined): Uint8Array {
  const lines = labelMap && new TextDecoder().decode(labelMap).split(/\r?\n/);
  const names = lines
    ?.filter(line => line.trim() !== '' && !line.startsWith('#'))
    .map(line => line.slice(0, line.indexOf(':')))
    .slice(1);
  return namesOf((names ?? vocNames.split(' ')).map((name, i) => [i + 1, name] as const));
}
