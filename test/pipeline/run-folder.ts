/** A finished run's folder in a store, made of drawn label maps: what exports and edits of the classes work on. */

import { nodeDigest } from '#adapters/local/node-digest';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { writeClustersCsv } from '#core/formats/clusters-csv';
import { encodeIndexPng } from '#core/formats/png-index';
import { defaultClasses, formatClassMap } from '#core/labels/class-map';
import type { ClusterId } from '#core/labels/label-id';
import type { LabelMap } from '#core/labels/label-map';
import { labelPaths } from '#core/labels/label-path';
import type { ObjectStore, Ports } from '#pipeline/ports';
import { drawnMap } from '../core/formats/label-maps.ts';

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

/** The ports that exports and class edits use, with the real codec. */
export const folderPorts = (): Pick<Ports, 'images' | 'digest' | 'log'> => ({
  images: new SharpCodec(1),
  digest: nodeDigest,
  log: { progress: () => undefined, note: () => undefined },
});

/** Four clusters; two inputs that share a stem, an empty one, a duplicate, and one that was rejected. */
export const pictures: Record<string, LabelMap> = {
  'a/b.jpg': drawnMap('1122', '1.22', '3333'),
  'a/b.png': drawnMap('44', '41'),
  'leer ü.jpg': drawnMap('..', '..'),
  'z.jpg': drawnMap('1122', '1.22', '3333'),
};
export const clusters = 4;

/** Where each label map lies. */
export const mapPaths = labelPaths(Object.keys(pictures));

export async function fillRunFolder(store: ObjectStore): Promise<void> {
  const { images } = folderPorts();
  for (const [image, map] of Object.entries(pictures)) {
    const png = await encodeIndexPng(map, { deflate: (bytes, runs) => images.deflate(bytes, runs), highest: clusters });
    await store.put(`labels/${mapPaths.of(image)}`, png);
  }
  const receipt = {
    labelled: ['a/b.jpg', 'a/b.png'],
    empty: ['leer ü.jpg'],
    duplicate: [{ image: 'z.jpg', of: 'a/b.jpg' }],
    rejected: [{ image: 'notes.txt', reason: 'no image' }],
  };
  const rows = Object.keys(pictures).map((image, i) => ({
    image,
    cluster: i as ClusterId,
    distance: 0.5,
    confidence: (i + 1) / 8,
  }));
  const classes = formatClassMap(defaultClasses(clusters));
  await store.put('receipt.json', utf8(JSON.stringify(receipt)));
  await store.put('clusters.csv', utf8(writeClustersCsv(rows)));
  await store.put('classes.json', classes);
  await store.put('model/classes.json', classes);
  await store.put('model/model.onnx', utf8('weights'));
  await store.put('model/card.json', utf8('{"name":"my model"}'));
}

/** Every object under a prefix, as text by key. */
export async function contents(store: ObjectStore, prefix: string): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for await (const { key } of store.list(prefix)) found.set(key.slice(prefix.length), (await store.get(key))!);
  return found;
}
