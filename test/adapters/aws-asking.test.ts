/** How S3 and SQS are asked: which answers are asked for again, how long is waited, and how work is cut for one request. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Answer, ask, type Patience, pauseBefore, usualPatience } from '#adapters/aws/ask';
import { mapParts, partsOf } from '#adapters/aws/parts';
import { batchesOf } from '#adapters/aws/send-batches';
import { refusal, troubleOf } from '#adapters/aws/trouble';
import { PermanentError } from '#core/errors';

const patience: Patience = { attempts: 4, first: 1, longest: 2, random: () => 0.5 };
const failed = (name: string, status?: number) =>
  Object.assign(new Error('secret'), { name, $metadata: { httpStatusCode: status, requestId: 'r-1' } });

/** Fails with each in turn, then answers. */
async function asking(
  failures: Error[],
  contended?: 'again' | 'tell',
): Promise<{ answer: Answer<string>; calls: number }> {
  let calls = 0;
  const act = async () => {
    calls++;
    const failure = failures.shift();
    if (failure) throw failure;
    return 'yes';
  };
  return { answer: await ask(patience, 'do it', act, contended), calls };
}

describe('troubleOf', () => {
  it.each([
    ['NoSuchKey', 404, 'absent'],
    ['NotFound', 404, 'absent'],
    ['NoSuchBucket', 404, 'refused'],
    ['PreconditionFailed', 412, 'lost'],
    ['ConditionalRequestConflict', 409, 'contended'],
    ['SlowDown', 503, 'throttled'],
    ['ServiceUnavailable', 503, 'throttled'],
    ['InternalError', 500, 'failed'],
    ['SyntaxError', 502, 'failed'],
    ['SyntaxError', 200, 'failed'],
    ['RequestTimeout', 400, 'failed'],
    ['ExpiredToken', 400, 'failed'],
    ['AccessDenied', 403, 'refused'],
    ['TimeoutError', undefined, 'failed'],
    ['CredentialsProviderError', undefined, 'refused'],
  ])('sorts %s with status %s as %s', (name, status, trouble) => {
    expect(troubleOf(failed(name, status))).toBe(trouble);
  });

  it('reads the status of an answer that could not be parsed', () => {
    const unread = Object.assign(new SyntaxError('<'), { $response: { statusCode: 405 } });
    expect(troubleOf(unread)).toBe('refused');
    expect(refusal(unread, 'read a').message).toBe('cannot read a: refused as status 405; check the request');
  });
});

describe('ask', () => {
  it('takes no for an answer', async () => {
    expect(await asking([failed('NoSuchKey', 404)])).toEqual({
      answer: { kind: 'absent', perhapsDone: false },
      calls: 1,
    });
    expect(await asking([failed('PreconditionFailed', 412)])).toEqual({
      answer: { kind: 'lost', perhapsDone: false },
      calls: 1,
    });
  });

  it('knows whether an earlier try may have had its effect', async () => {
    const lost = failed('PreconditionFailed', 412);
    expect((await asking([failed('X', 500), lost])).answer).toEqual({ kind: 'lost', perhapsDone: true });
    expect((await asking([failed('TimeoutError'), lost])).answer).toEqual({ kind: 'lost', perhapsDone: true });
    expect((await asking([failed('OperationAborted', 409), lost])).answer).toEqual({
      kind: 'lost',
      perhapsDone: false,
    });
  });

  it('tells of a contended key where it is asked to', async () => {
    expect((await asking([failed('OperationAborted', 409)], 'tell')).answer.kind).toBe('contended');
    expect((await asking([failed('OperationAborted', 409)])).answer.kind).toBe('done');
  });

  it('gives up after so many tries, quoting nothing', async () => {
    const failures = Array.from({ length: 9 }, () => failed('InternalError', 500));
    await expect(asking(failures)).rejects.toThrow('cannot do it: InternalError, 4 times (last request r-1)');
    expect(failures.length).toBe(5);
  });

  it('does not repeat what is refused', async () => {
    const failures = [failed('AccessDenied', 403), failed('AccessDenied', 403)];
    const failure = await asking(failures).catch(error => error);
    expect(failure).toBeInstanceOf(PermanentError);
    expect(`${failure.stack} ${failure.cause}`).not.toContain('secret');
    expect(failures.length).toBe(1);
  });
});

describe('pauseBefore', () => {
  const longestOf = (attempt: number, trouble: 'failed' | 'throttled') =>
    pauseBefore(attempt, trouble, { ...usualPatience, random: () => 1 });

  it('doubles up to a bound, and is longer for who was too fast', () => {
    expect([1, 2, 3, 7, 8, 20].map(n => longestOf(n, 'failed'))).toEqual([100, 200, 400, 6400, 8000, 8000]);
    expect([1, 2, 3, 7].map(n => longestOf(n, 'throttled'))).toEqual([400, 800, 1600, 8000]);
  });

  it('is uniform below its bound', () => {
    for (const random of [0, 0.25, 0.5])
      expect(pauseBefore(3, 'failed', { ...usualPatience, random: () => random })).toBe(400 * random);
  });
});

describe('partsOf', () => {
  it('covers every byte once, in at most 10,000 parts', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 42 }),
        fc.integer({ min: 2 ** 20, max: 2 ** 28 }),
        (size, partBytes) => {
          const parts = partsOf(size, partBytes);
          expect(parts.length).toBeLessThanOrEqual(10_000);
          expect(parts[0]!.start).toBe(0);
          expect(parts.at(-1)!.end).toBe(size);
          const wrong = parts.filter(({ number, start, end }, i) => {
            const shortest = i < parts.length - 1 ? partBytes : 1;
            return number !== i + 1 || end - start < shortest || (i > 0 && start !== parts[i - 1]!.end);
          });
          expect(wrong).toEqual([]);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('hands out few at once, keeps their order, and begins none after an error', async () => {
    let open = 0;
    let most = 0;
    const act = async ({ number }: { number: number }) => {
      most = Math.max(most, ++open);
      await new Promise(resolve => setTimeout(resolve, number % 3));
      open--;
      return number;
    };
    const parts = partsOf(30, 1);
    expect(await mapParts(parts, act)).toEqual(parts.map(({ number }) => number));
    expect(most).toBe(8);
    const begun: number[] = [];
    const failing = async ({ number }: { number: number }) => {
      begun.push(number);
      await Promise.resolve();
      if (number === 2) throw new Error('broken');
    };
    await expect(mapParts(parts, failing)).rejects.toThrow('broken');
    expect(begun.length).toBeLessThan(20);
  });
});

describe('batchesOf', () => {
  it('keeps every body in order, at most ten and 256 KB to a batch, and no batch that fits into the one before', () => {
    const body = fc.integer({ min: 0, max: 262_144 }).map(length => 'x'.repeat(length));
    const small = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(fc.array(fc.oneof(body, small), { maxLength: 15 }), bodies => {
        const batches = batchesOf(bodies);
        const bytes = (batch: readonly string[]) => batch.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
        expect(batches.flat()).toEqual(bodies);
        for (const [i, batch] of batches.entries()) {
          expect(batch.length).toBeLessThanOrEqual(10);
          expect(bytes(batch)).toBeLessThanOrEqual(262_144);
          const before = batches[i - 1];
          if (before) expect(before.length === 10 || bytes([...before, batch[0]!]) > 262_144).toBe(true);
        }
      }),
      { numRuns: 20 },
    );
  });

  it('refuses a body that is too large before anything is cut', () => {
    expect(() => batchesOf(['a', 'x'.repeat(262_145)])).toThrow('a message of 262145 bytes is too large');
  });
});
