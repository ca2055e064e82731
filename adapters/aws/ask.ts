/** Asking a service until it answers: bounded, with growing pauses of random length, so that many clients do not return at once. */
import { setTimeout as pause } from 'node:timers/promises';
import { givenUp, refusal, type Trouble, troubleOf } from './trouble.ts';

export interface Patience {
  /** Tries in all. */
  readonly attempts: number;
  /** Longest first pause in milliseconds; it doubles with every try. */
  readonly first: number;
  /** No pause is longer. */
  readonly longest: number;
  /** Uniform in 0 … 1, for the jitter. */
  readonly random: () => number;
}

/** Half a minute of pauses at most. */
export const usualPatience: Patience = { attempts: 9, first: 100, longest: 8000, random: Math.random };

/** For the clients, so that every try ends. */
export const timeLimits = {
  /** Milliseconds until a connection stands. */
  connectionTimeout: 5_000,
  /** Milliseconds in which nothing moves; above the 20 seconds of a long poll. */
  socketTimeout: 30_000,
};

/** A no is an answer too. `perhapsDone`: an earlier try broke after it may have had its effect. */
export type Answer<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'absent' | 'lost' | 'contended'; readonly perhapsDone: boolean };

/**
 * @param what for errors: the operation and the thing, as "read jobs/j/plan.json from bucket b"
 * @param contended what to do where somebody else is writing the same key: ask again, or tell
 * @throws PermanentError or RejectedInput if refused, Error if there was no answer after the last try
 */
export async function ask<T>(
  patience: Patience,
  what: string,
  act: () => Promise<T>,
  contended: 'again' | 'tell' = 'again',
): Promise<Answer<T>> {
  let perhapsDone = false;
  for (let attempt = 1; ; attempt++) {
    try {
      return { kind: 'done', value: await act() };
    } catch (failure) {
      const trouble = troubleOf(failure);
      if (trouble === 'refused') throw refusal(failure, what);
      if (isAnswer(trouble) || (trouble === 'contended' && contended === 'tell')) return { kind: trouble, perhapsDone };
      if (attempt >= patience.attempts) throw givenUp(failure, what, attempt);
      perhapsDone ||= trouble !== 'contended';
      await pause(pauseBefore(attempt, trouble, patience));
    }
  }
}

const isAnswer = (trouble: Trouble): trouble is 'absent' | 'lost' => trouble === 'absent' || trouble === 'lost';

/** Full jitter: uniform below a bound that doubles. Whoever is too fast waits longer than who met an accident. */
export function pauseBefore(attempt: number, trouble: Trouble, { first, longest, random }: Patience): number {
  const bound = first * 2 ** (attempt - 1) * (trouble === 'throttled' ? 4 : 1);
  return Math.round(random() * Math.min(bound, longest));
}
