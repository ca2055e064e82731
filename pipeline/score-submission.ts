/** A submission scored against hidden masks, and its line in the protocol's table. */
import * as z from 'zod';
import {
  defaultRate,
  type Entry,
  emptyBoard,
  type Leaderboard,
  type RateLimit,
  scoresOf,
  turnedAway,
} from '#core/benchmark/leaderboard';
import { isProtocol, needsMatching, setOf, submitterOf } from '#core/benchmark/submission';
import { PermanentError, RejectedInput } from '#core/errors';
import { keys } from '#core/job/keys';
import { leaderboardPage } from '#core/pages/leaderboard';
import { fromJson, toJson } from './documents.ts';
import { evaluateFolders } from './evaluate-folders.ts';
import { classesOfMasks, listMasks } from './ground-truth.ts';
import type { Clock, Digest, ImageCodec, Log, ObjectStore } from './ports.ts';
import { readSubmission } from './submissions.ts';

type ReadStore = Pick<ObjectStore, 'get' | 'keys'>;

export interface ScoringPorts {
  /** Holds the tables and their pages. */
  readonly store: Pick<ObjectStore, 'getTagged' | 'swap' | 'put'>;
  /** Where the masks lie, which submitters cannot read. */
  readonly truth: ReadStore;
  readonly openZip: (bytes: Uint8Array, name: string) => Promise<ReadStore & { close(): void }>;
  readonly images: Pick<ImageCodec, 'inflate'>;
  readonly digest: Digest;
  readonly clock: Clock;
  readonly log: Log;
  readonly threads: number;
}

export interface Submission {
  readonly protocol: string;
  /** Name of the zip, `SUBMITTER-NAME.zip`. */
  readonly file: string;
  readonly bytes: Uint8Array;
  /** Prefix of the masks, with a final `/`. */
  readonly masks: string;
  readonly classes?: number | undefined;
}

/** What the submitter is told. Turned away: neither scored nor noted in the table. */
export type Verdict = {
  readonly state: 'scored' | 'refused' | 'turned away';
  readonly reason?: string;
  readonly entry?: Entry;
};

/** So often the table is written anew when another submission was noted meanwhile. */
const attempts = 50;

/** Scores a submission and notes it. Never throws for what is wrong with the submission itself: that is its verdict. */
export async function scoreSubmission(
  ports: ScoringPorts,
  submission: Submission,
  rate: RateLimit = defaultRate,
): Promise<Verdict> {
  const { protocol, file, bytes } = submission;
  const received = new Date(ports.clock.now()).toISOString();
  let submitter: string;
  try {
    if (!isProtocol(protocol)) {
      throw new PermanentError(
        `there is no protocol ${protocol}; expected unsupervised, distance, semi-supervised or free, and a set, as in unsupervised-50`,
      );
    }
    submitter = submitterOf(file);
  } catch (error) {
    return { state: 'turned away', reason: wordsOf(error) };
  }
  const sha256 = ports.digest.sha256(bytes);
  const base = { submitter, file, sha256, received };
  const before = await readBoard(ports, protocol);
  const away = turnedAway(before.board, base, rate);
  // Told of once more: perhaps the first time ended before the page was written.
  if (away && before.board.entries.some(entry => entry.sha256 === sha256)) await writePage(ports, protocol);
  if (away) return { state: 'turned away', reason: away };
  const entry: Entry = { ...base, ...(await judge(ports, submission)) };
  const noted = await note(ports, protocol, entry, rate);
  await writePage(ports, protocol);
  if (noted) return { state: 'turned away', reason: noted };
  return { state: entry.scores ? 'scored' : 'refused', ...(entry.refused && { reason: entry.refused }), entry };
}

const wordsOf = (error: unknown): string => {
  if (error instanceof PermanentError || error instanceof RejectedInput) return error.message;
  throw error;
};

async function judge(
  ports: ScoringPorts,
  submission: Submission,
): Promise<Pick<Entry, 'method' | 'scores' | 'refused'>> {
  const { protocol, file, bytes, masks, classes } = submission;
  // A fault of ours must never become a verdict on the submission.
  const names = await listMasks({ store: ports.truth }, masks);
  if (names.length === 0) throw new Error(`there are no masks under ${masks}`);
  const source = { store: ports.truth, images: ports.images };
  const rules = {
    masks,
    background: 'auto',
    classes: await classesOfMasks(source, { masks, classes, background: 'auto' }),
  } as const;
  let zip: Awaited<ReturnType<ScoringPorts['openZip']>> | undefined;
  try {
    zip = await ports.openZip(bytes, file);
    const { method, matching } = await readSubmission(zip, { masks: names, matchingNeeded: needsMatching(protocol) });
    const metrics = await evaluateFolders(
      { ...ports, predictions: zip },
      { ...rules, predictions: '', matching: matching ?? 'none', continue: false, refuseForeign: true },
    );
    return { method, scores: scoresOf(metrics) };
  } catch (error) {
    return { refused: wordsOf(error).replace(' (--continue goes on without it)', '') };
  } finally {
    zip?.close();
  }
}

/** @returns why it was turned away after all, where another like it was noted meanwhile */
async function note(ports: ScoringPorts, protocol: string, entry: Entry, rate: RateLimit): Promise<string | undefined> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const { board, etag } = await readBoard(ports, protocol);
    const away = turnedAway(board, entry, rate);
    if (away) return away;
    const next: Leaderboard = { ...board, entries: [...board.entries, entry] };
    if ((await ports.store.swap(keys.leaderboard(protocol), toJson(next), etag)) !== undefined) return undefined;
  }
  throw new Error(`the table of ${protocol} is written by too many at once; try again`);
}

/** Until it shows the table as it is: of two that write at once, the later one looks again. */
async function writePage(ports: ScoringPorts, protocol: string): Promise<void> {
  for (let shown: string | undefined; ; ) {
    const { board, etag } = await readBoard(ports, protocol);
    if (etag === shown) return;
    await ports.store.put(keys.leaderboardPage(protocol), new TextEncoder().encode(leaderboardPage([board], [])));
    shown = etag;
  }
}

export async function readBoard(
  { store }: Pick<ScoringPorts, 'store'>,
  protocol: string,
): Promise<{ board: Leaderboard; etag: string | undefined }> {
  const found = await store.getTagged(keys.leaderboard(protocol));
  return { board: found ? fromJson<Leaderboard>(found.bytes) : emptyBoard(protocol), etag: found?.etag };
}

const s3Event = z.object({
  Records: z.array(z.object({ s3: z.object({ object: z.object({ key: z.string() }) }) })).default([]),
});

/**
 * Scores what an upload event of S3 names. Masks of a protocol lie under the name of its set: those of `unsupervised-50`
 * under `50/masks/`.
 * @param body of the message @param uploads where the zips lie
 */
export async function scoreUpload(
  ports: ScoringPorts,
  uploads: Pick<ObjectStore, 'get'>,
  body: string,
): Promise<(Verdict & { key: string })[]> {
  const verdicts: (Verdict & { key: string })[] = [];
  for (const { s3 } of s3Event.parse(JSON.parse(body)).Records) {
    const key = decodeURIComponent(s3.object.key.replaceAll('+', ' '));
    const [, protocol, file] = /^submissions\/([^/]+)\/([^/]+\.zip)$/.exec(key) ?? [];
    const bytes = file === undefined ? undefined : await uploads.get(key);
    if (!bytes) {
      verdicts.push({
        key,
        state: 'turned away',
        reason: file ? 'gone since it was uploaded' : 'not submissions/PROTOCOL/NAME.zip',
      });
      continue;
    }
    const masks = `${setOf(protocol!)}/masks/`;
    verdicts.push({ key, ...(await scoreSubmission(ports, { protocol: protocol!, file: file!, bytes, masks })) });
  }
  return verdicts;
}
