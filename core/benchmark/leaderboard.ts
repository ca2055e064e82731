/** The table of a protocol: what was sent, what came of it, and who may send more. */
import type { Metrics } from '../metrics/finish.ts';
import type { Method } from './submission.ts';

export interface Scores {
  readonly miou: number;
  readonly miouForeground: number | null;
  readonly boundaryMiou: number;
  readonly imageAccuracy: number;
  readonly fBeta: number | null;
  readonly sizes: Metrics['sizes'];
  readonly perClass: readonly { readonly id: number; readonly name: string; readonly iou: number }[];
}

/** One submission: with scores, or with the reason why it has none. */
export interface Entry {
  readonly submitter: string;
  /** Name of the zip. */
  readonly file: string;
  readonly sha256: string;
  /** ISO 8601. */
  readonly received: string;
  readonly method?: Method | undefined;
  readonly scores?: Scores | undefined;
  readonly refused?: string | undefined;
}

export interface Leaderboard {
  readonly version: 1;
  readonly protocol: string;
  /** In the order in which they came. */
  readonly entries: readonly Entry[];
}

export interface RateLimit {
  readonly submissions: number;
  readonly hours: number;
}

export const defaultRate: RateLimit = { submissions: 5, hours: 24 };

export const emptyBoard = (protocol: string): Leaderboard => ({ version: 1, protocol, entries: [] });

/** The scores a table shows, of a whole evaluation. */
export function scoresOf(metrics: Metrics): Scores {
  const { miou, miouForeground, boundaryMiou, imageAccuracy, fBeta, sizes } = metrics;
  const perClass = metrics.perClass.map(({ id, name, iou }) => ({ id, name, iou }));
  return { miou, miouForeground, boundaryMiou, imageAccuracy, fBeta, sizes, perClass };
}

/** Why a submission is not looked at: the same bytes came before, or too many came; undefined where it may go on. */
export function turnedAway(
  { entries }: Leaderboard,
  { submitter, sha256, received }: Pick<Entry, 'submitter' | 'sha256' | 'received'>,
  rate: RateLimit,
): string | undefined {
  const same = entries.find(entry => entry.sha256 === sha256);
  if (same) return `the same file came on ${same.received} as ${same.file}; its result stands`;
  const since = Date.parse(received) - rate.hours * 3_600_000;
  const recent = entries.filter(entry => entry.submitter === submitter && Date.parse(entry.received) > since);
  if (recent.length < rate.submissions) return undefined;
  const free = new Date(Date.parse(recent.at(-rate.submissions)!.received) + rate.hours * 3_600_000).toISOString();
  return `${submitter} has sent ${recent.length} in ${rate.hours} hours, and ${rate.submissions} are allowed; the next one may come at ${free}`;
}
