/** Submissions: packing label maps into one, and saying what is wrong with one before anything is scored. */
import { type Method, parseMethod } from '#core/benchmark/submission';
import { PermanentError, RejectedInput } from '#core/errors';
import { encodeImageNetSPng } from '#core/formats/png-index';
import { presentIds } from '#core/labels/present-ids';
import type { Matching } from '#core/metrics/matching';
import { listedIds, readMatching, writeMatching } from '#core/metrics/saved-matching';
import { foreignId } from './count-pairs.ts';
import { classesOfMasks, decodeMask, listMasks, readTruth } from './ground-truth.ts';
import { mapInOrder } from './in-flight.ts';
import type { ImageCodec, ObjectStore } from './ports.ts';

type ReadStore = Pick<ObjectStore, 'get' | 'keys'>;

export interface SubmissionFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface SubmissionContent {
  readonly method: Method;
  /** From match.json; without one the masks carry class ids. */
  readonly matching: Matching | undefined;
  /** Paths of the label maps. */
  readonly maps: readonly string[];
}

const filesAtOnce = 8;
const mostNamed = 3;

/**
 * The files of a zip: the method, every label map as ImageNet-S stores it, and the matching if there is one, with null for ids that it
 * does not know of.
 * @param tell is given those ids, where there are any
 */
export async function* packSubmission(
  { images, labels }: { images: Pick<ImageCodec, 'inflate' | 'deflate'>; labels: ReadStore },
  { method, matching: given }: { readonly method: string; readonly matching?: string | undefined },
  tell: (unmatched: readonly number[]) => void = () => undefined,
): AsyncGenerator<SubmissionFile> {
  parseMethod(method);
  const matching = given === undefined ? undefined : readMatching(given, 'match.json', 'auto');
  const encoder = new TextEncoder();
  yield { name: 'method.txt', bytes: encoder.encode(method) };
  const names = await listMasks({ store: labels }, '');
  if (names.length === 0) throw new PermanentError('there is no label map (.png) to pack');
  const seen = new Set<number>();
  yield* mapInOrder(names, filesAtOnce, async name => {
    const { width, height, ids } = await decodeMask({ images }, (await labels.get(name))!, `label map ${name}`);
    const map = { width, height, data: ids };
    for (const id of presentIds(map)) seen.add(id);
    const bytes = await encodeImageNetSPng(map, (b, runs) => images.deflate(b, runs));
    return { name, bytes };
  });
  if (!matching) return;
  const listed = new Set(listedIds(matching));
  const unmatched = [...seen].filter(id => !listed.has(id)).sort((a, b) => a - b);
  if (unmatched.length > 0) tell(unmatched);
  const text = writeMatching(Object.fromEntries(matching.classOf), [...(matching.unmatched ?? []), ...unmatched]);
  yield { name: 'match.json', bytes: encoder.encode(text) };
}

/**
 * What a submission says about itself.
 * @param masks paths of the ground truth, where it is at hand: every one needs a label map, and there may be no others
 * @throws PermanentError that says what is missing
 */
export async function readSubmission(
  zip: ReadStore,
  { masks, matchingNeeded = false }: { masks?: readonly string[]; matchingNeeded?: boolean } = {},
): Promise<SubmissionContent> {
  const decoder = new TextDecoder();
  const maps = await listMasks({ store: zip }, '');
  const methodBytes = await zip.get('method.txt');
  if (!methodBytes) throw noMethod(await firstNamed(zip, 'method.txt'));
  const method = parseMethod(decoder.decode(methodBytes));
  const matchBytes = await zip.get('match.json');
  if (matchingNeeded && !matchBytes) {
    throw new PermanentError('match.json is missing: masks of this protocol carry cluster ids, found on validation');
  }
  const matching = matchBytes && readMatching(decoder.decode(matchBytes), 'match.json', 'auto');
  if (maps.length === 0) throw new PermanentError('no label map (.png) in the zip');
  if (masks) assertComplete(maps, masks);
  return { method, matching, maps };
}

/** Ground truth at hand, for a look before a zip is sent. */
export interface KnownTruth {
  readonly store: ReadStore;
  /** Prefix of the masks. */
  readonly masks: string;
}

/**
 * What is wrong with the label maps themselves, one line each: unreadable, of another size than the mask, or with ids that stand for
 * nothing.
 * @param classes N; default: by the ground truth, if that is at hand, else any id may be a class
 */
export async function* problemsOfMaps(
  images: Pick<ImageCodec, 'inflate'>,
  zip: ReadStore,
  { maps, matching }: SubmissionContent,
  { truth, classes }: { truth?: KnownTruth | undefined; classes?: number | undefined },
): AsyncGenerator<string> {
  const rules = { masks: truth?.masks ?? '', classes, background: 'auto' as const };
  const highest = truth ? await classesOfMasks({ store: truth.store, images }, rules) : classes;
  const wrong = highest === undefined ? undefined : [...(matching?.classOf ?? [])].find(([, id]) => id > highest);
  if (wrong) yield `match.json matches ${wrong[0]} to class ${wrong[1]}, above the highest class ${highest}`;
  const known = matching ? new Set(listedIds(matching)) : undefined;
  const isKnown = (id: number) => (known ? known.has(id) : highest === undefined || id <= highest);
  const look = async (name: string): Promise<string | undefined> => {
    try {
      const { ids, ...size } = await decodeMask({ images }, (await zip.get(name))!, `label map ${name}`);
      if (truth) await readTruth({ store: truth.store, images }, rules, name, size);
      const foreign = presentIds({ ...size, data: ids }).find(id => !isKnown(id));
      return foreign === undefined ? undefined : foreignId(name, foreign).message;
    } catch (error) {
      if (error instanceof PermanentError || error instanceof RejectedInput) return error.message;
      throw error;
    }
  };
  for await (const problem of mapInOrder(maps, filesAtOnce, look)) if (problem !== undefined) yield problem;
}

const noMethod = (elsewhere: string | undefined) =>
  new PermanentError(
    elsewhere
      ? `method.txt lies at ${elsewhere}, not at the root of the zip; pack the content of the folder, not the folder`
      : 'method.txt is missing at the root of the zip',
  );

async function firstNamed(zip: ReadStore, file: string): Promise<string | undefined> {
  for await (const key of zip.keys('')) if (key.endsWith(`/${file}`)) return key;
  return undefined;
}

function assertComplete(maps: readonly string[], masks: readonly string[]): void {
  const [given, wanted] = [new Set(maps), new Set(masks)];
  const missing = masks.filter(name => !given.has(name));
  const extra = maps.filter(name => !wanted.has(name));
  if (missing.length > 0)
    throw new PermanentError(`${missing.length} of ${masks.length} label maps are missing: ${some(missing)}`);
  if (extra.length > 0)
    throw new PermanentError(`${extra.length} label maps are of no image of the test set: ${some(extra)}`);
}

const some = (names: readonly string[]): string =>
  names.slice(0, mostNamed).join(', ') + (names.length > mostNamed ? ', …' : '');
