/** Foreground IoU of a folder of label maps, without the rest of an evaluation. */
import { readdirSync, readFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import { decodeIndexPng } from '#core/formats/png-index';

const read = (file: string) => decodeIndexPng(readFileSync(file), async bytes => inflateSync(bytes), file);

/** Over all pixels of all masks; 255 does not count. */
export async function foregroundIou(labels: string, masks: string): Promise<number> {
  let [both, either] = [0, 0];
  for (const name of readdirSync(masks)) {
    const [ours, truth] = [await read(`${labels}/${name}`), await read(`${masks}/${name}`)];
    truth.ids.forEach((id, i) => {
      if (id === 255) return;
      const label = ours.ids[i]!;
      if (id && label) both++;
      if (id || label) either++;
    });
  }
  return both / either;
}
