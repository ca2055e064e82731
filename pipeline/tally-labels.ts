/** Packed label maps held against their masks. */
import { decodeIndexPng } from '#core/formats/png-index';
import type { TarEntry } from '#core/formats/tar';
import { Tally } from '#core/metrics/tally';
import { maskOf, readTruth, type TruthRules } from './ground-truth.ts';
import { mapInOrder } from './in-flight.ts';
import type { Ports } from './ports.ts';

/**
 * @param packed label maps, each under its image's name and `.png`
 * @param piece of stage evaluate, for the progress shown
 * @throws PermanentError that names the mask if one is missing, unreadable, of another size or against the rules
 */
export async function tallyLabels(
  ports: Ports,
  rules: TruthRules,
  packed: readonly TarEntry[],
  piece: string,
): Promise<Tally> {
  const tally = new Tally(rules.background);
  const work = async ({ name, bytes }: TarEntry) => {
    const { width, height, ids } = await decodeIndexPng(bytes, (b, limit) => ports.images.inflate(b, limit));
    const truth = await readTruth(ports, rules, maskOf(name.slice(0, -'.png'.length)), { width, height });
    return { prediction: { width, height, data: ids }, truth };
  };
  let done = 0;
  for await (const { prediction, truth } of mapInOrder(packed, ports.tuning.threads * 3, work)) {
    tally.add(prediction, truth.map, truth.ignore);
    ports.log.progress('evaluate', piece, ++done, packed.length);
  }
  return tally;
}
