/** The S3 store behind a connection that breaks: what it does again, what it gives up, and what it says. */
import { HeadObjectCommand, ListMultipartUploadsCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { S3Store } from '#adapters/aws/s3-store';
import { PermanentError, RejectedInput } from '#core/errors';
import { endpoint, newBucket, quickPatience, s3ClientAt } from './cloud.ts';
import { FaultProxy, type HttpFault, type ProxiedRequest } from './fault-proxy.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes);

const MiB = 2 ** 20;
const partBytes = 5 * MiB;
const large = new Uint8Array(12 * MiB + 17).map((_, i) => (i * 2654435761) >>> 13);

let proxy: FaultProxy;
let bucket: string;
let store: S3Store;
/** Without the proxy. */
let plain: S3Store;
const direct = () => new S3Client(s3ClientAt(endpoint()));

beforeEach(async () => {
  proxy = await FaultProxy.before(endpoint());
  bucket = await newBucket();
  const options = { bucket, patience: quickPatience, partBytes };
  store = new S3Store({ ...options, client: s3ClientAt(proxy.endpoint) });
  plain = new S3Store({ ...options, client: s3ClientAt(endpoint()) });
});
afterEach(() => proxy.close());

/** The first requests that match meet these faults, in turn. */
function inTurn(matches: (request: ProxiedRequest) => boolean, ...faults: HttpFault[]): void {
  proxy.faults = request => (matches(request) ? faults.shift() : undefined);
}

const isPut = ({ method }: ProxiedRequest) => method === 'PUT';
const isGet = ({ method }: ProxiedRequest) => method === 'GET';
const answer = (status: number, code: string): HttpFault => ({ kind: 'answer', status, code });
const conflict = answer(409, 'ConditionalRequestConflict');
const transient: HttpFault[] = [
  conflict,
  answer(503, 'SlowDown'),
  answer(500, 'InternalError'),
  answer(400, 'RequestTimeout'),
  { kind: 'html', status: 502 },
  { kind: 'cut-before' },
];

describe('S3Store on a bad connection', () => {
  it('asks again after everything that may pass', async () => {
    inTurn(isPut, ...transient);
    expect(await store.putNew('a', bytesOf('one'))).toBe(true);
    inTurn(isGet, ...transient.slice(1), { kind: 'cut-after' }, { kind: 'cut-within' });
    expect(textOf(await store.get('a'))).toBe('one');
    expect(proxy.seen.length).toBe(7 + 8);
  });

  it('has won a putNew whose answer was lost', async () => {
    inTurn(isPut, { kind: 'cut-after' });
    expect(await store.putNew('a', bytesOf('one'))).toBe(true);
    expect(textOf(await store.get('a'))).toBe('one');
  });

  it('has lost a putNew that somebody else won while its answers were lost', async () => {
    await plain.putNew('a', bytesOf('theirs'));
    inTurn(isPut, { kind: 'cut-after' }, answer(500, 'InternalError'));
    expect(await store.putNew('a', bytesOf('theirs'))).toBe(false);
  });

  it('has won a swap whose answer was lost, and knows the new etag', async () => {
    const first = await plain.swap('a', bytesOf('one'), undefined);
    inTurn(isPut, { kind: 'cut-after' });
    const second = await store.swap('a', bytesOf('two'), first);
    expect(second).toBe((await plain.head('a'))?.etag);
    expect(second).not.toBe(first);
    expect(await store.swap('a', bytesOf('three'), first)).toBeUndefined();
  });

  it('has lost a swap of what somebody deleted', async () => {
    const first = await plain.swap('a', bytesOf('one'), undefined);
    await plain.delete('a');
    inTurn(isPut, { kind: 'cut-after' });
    expect(await store.swap('a', bytesOf('two'), first)).toBeUndefined();
  });

  it('loses no count although every second answer is lost', async () => {
    let puts = 0;
    proxy.faults = request => (isPut(request) && ++puts % 2 ? { kind: 'cut-after' } : undefined);
    for (let i = 0; i < 10; i++) {
      const found = await store.getTagged('count');
      await store.swap('count', bytesOf(`${Number(textOf(found?.bytes) ?? 0) + 1}`), found?.etag);
    }
    expect(textOf(await plain.get('count'))).toBe('10');
  });

  it('lists page by page, each page asked again where it broke', async () => {
    for (let i = 0; i < 5; i++) await plain.put(`a/${i}`, bytesOf('x'));
    inTurn(isGet, { kind: 'cut-within' }, answer(503, 'SlowDown'), { kind: 'cut-before' });
    const keys = [];
    for await (const key of store.keys('a/')) keys.push(key);
    expect(keys).toEqual(['a/0', 'a/1', 'a/2', 'a/3', 'a/4']);
  });

  it('notices a damaged bit, and reads again', async () => {
    await store.putNew('a', bytesOf('one'));
    inTurn(isGet, { kind: 'damage' }, { kind: 'damage' });
    expect(textOf(await store.get('a'))).toBe('one');
    expect(proxy.seen.filter(isGet).length).toBe(3);
  });

  it('waits for slow answers', async () => {
    inTurn(isPut, { kind: 'delay', milliseconds: 300 });
    expect(await store.putNew('a', bytesOf('one'))).toBe(true);
    expect(proxy.seen.length).toBe(1);
  });

  it('tries again where nothing moves', async () => {
    const client = { ...s3ClientAt(proxy.endpoint), requestHandler: { socketTimeout: 200 } };
    const hasty = new S3Store({ bucket, patience: quickPatience, client });
    inTurn(isPut, { kind: 'delay', milliseconds: 2000 });
    expect(await hasty.putNew('a', bytesOf('one'))).toBe(true);
    expect(proxy.seen.filter(isPut).length).toBe(2);
  });

  it('gives up after so many tries, with an error that may be tried later', async () => {
    proxy.faults = () => answer(503, 'SlowDown');
    const failure = await store.get('a').catch(error => error);
    expect(failure).not.toBeInstanceOf(PermanentError);
    expect(failure.message).toBe(`cannot read a (bucket ${bucket}): SlowDown, 9 times`);
    expect(proxy.seen.length).toBe(9);
  });

  it.each([
    ['AccessDenied', 403, 'permission is missing'],
    ['NoSuchBucket', 404, 'no such bucket'],
    ['InvalidAccessKeyId', 403, 'credentials'],
    ['SignatureDoesNotMatch', 403, 'credentials'],
    ['AuthorizationHeaderMalformed', 400, 'AWS_REGION'],
    ['KeyTooLongError', 400, 'too long'],
    ['MethodNotAllowed', 405, 'refused as MethodNotAllowed'],
  ])('is refused once and for all: %s', async (code, status, remedy) => {
    proxy.faults = () => answer(status, code);
    for (const act of [() => store.get('a'), () => store.putNew('a', bytesOf('x')), () => store.delete('a')]) {
      const failure = await act().catch(error => error);
      expect(failure).toBeInstanceOf(PermanentError);
      expect(failure.message).toContain(remedy);
      expect(failure.message).not.toContain('told so');
      expect(failure.cause).toBeUndefined();
    }
    expect(proxy.seen.length).toBe(3);
  });

  it.each([
    [403, 'permission is missing'],
    [301, 'AWS_REGION'],
  ])('explains what HEAD leaves unexplained: %i', async (status, remedy) => {
    proxy.faults = () => answer(status, 'Unseen');
    await expect(store.head('a')).rejects.toThrow(remedy);
    expect(proxy.seen.length).toBe(1);
  });

  it('does without credentials of any kind for no longer than it takes to say so', async () => {
    const credentials = async () => {
      throw Object.assign(new Error('no such file: /home/somebody/.aws/credentials'), {
        name: 'CredentialsProviderError',
      });
    };
    const lost = new S3Store({ bucket, client: { ...s3ClientAt(proxy.endpoint), credentials } });
    const failure = await lost.get('a').catch(error => error);
    expect(failure).toBeInstanceOf(PermanentError);
    expect(failure.message).toContain('sign in again');
    expect(failure.message).not.toContain('/home');
  });

  it('rejects names that no folder could hold, and leaves out what only shows a folder', async () => {
    const strange = ['a//b', 'a/../b', 'a/'];
    for (const Key of strange) await direct().send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'x' }));
    await direct().send(new PutObjectCommand({ Bucket: bucket, Key: 'empty/', Body: '' }));
    await store.put('z', bytesOf('one'));
    const keys = [];
    for await (const key of store.keys('')) keys.push(key);
    expect(keys).toEqual(['a/', 'a/../b', 'a//b', 'z']);
    for (const key of strange) await expect(store.get(key)).rejects.toThrow(RejectedInput);
  });

  it('rejects one archived image, not the job', async () => {
    proxy.faults = () => answer(403, 'InvalidObjectState');
    const failure = await store.get('a').catch(error => error);
    expect(failure).toBeInstanceOf(RejectedInput);
    expect(failure.message).toBe('it is archived; restore it first');
  });
});

describe('large objects on S3', () => {
  const isPart = ({ path, method }: ProxiedRequest) => method === 'PUT' && path.includes('partNumber=');
  const isComplete = ({ path, method }: ProxiedRequest) => method === 'POST' && path.includes('uploadId=');
  const isRange = ({ headers }: ProxiedRequest) => headers.range !== undefined;
  const uploads = async () => (await direct().send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads ?? [];
  const same = (read: Uint8Array | undefined) => Buffer.compare(read!, large) === 0;

  it('are written in parts and read in ranges, with the checksum of the whole', async () => {
    expect(await store.putNew('a', large)).toBe(true);
    expect(same(await store.get('a'))).toBe(true);
    expect(proxy.seen.filter(isPart).length).toBe(3);
    expect(proxy.seen.filter(isRange).map(({ headers }) => headers.range)).toEqual([
      'bytes=0-5242879',
      'bytes=5242880-10485759',
      'bytes=10485760-12582928',
    ]);
    const head = await direct().send(new HeadObjectCommand({ Bucket: bucket, Key: 'a', ChecksumMode: 'ENABLED' }));
    expect(head.ContentLength).toBe(large.length);
    expect((await store.head('a'))?.etag).toBe((await store.getTagged('a'))?.etag);
  });

  it('stand as the first one wrote them', async () => {
    expect(await store.putNew('a', bytesOf('first'))).toBe(true);
    expect(await store.putNew('a', large)).toBe(false);
    expect(proxy.seen.filter(isPart).length).toBe(0);
    await store.put('a', large);
    expect(same(await plain.get('a'))).toBe(true);
  });

  it('are lost to who was first while the parts were sent, and leave no parts behind', async () => {
    proxy.faults = request => {
      if (isPart(request) && proxy.seen.filter(isPart).length === 1) void plain.putNew('a', bytesOf('first'));
      return isComplete(request) ? { kind: 'delay', milliseconds: 300 } : undefined;
    };
    expect(await store.putNew('a', large)).toBe(false);
    expect(textOf(await plain.get('a'))).toBe('first');
    expect(await uploads()).toEqual([]);
  });

  it('survive broken parts, ranges and a lost last answer', async () => {
    inTurn(
      isPart,
      answer(500, 'InternalError'),
      { kind: 'cut-before' },
      { kind: 'cut-after' },
      answer(503, 'SlowDown'),
    );
    const faults = proxy.faults;
    let completed = 0;
    proxy.faults = request =>
      isComplete(request) && ++completed === 1
        ? { kind: 'cut-after' }
        : isComplete(request)
          ? undefined
          : faults(request);
    expect(await store.putNew('a', large)).toBe(true);
    inTurn(isRange, { kind: 'cut-within' }, { kind: 'cut-after' }, answer(503, 'SlowDown'));
    expect(same(await store.get('a'))).toBe(true);
    expect(await uploads()).toEqual([]);
  });

  it('are read anew where a bit was damaged', async () => {
    await plain.putNew('a', large);
    inTurn(isRange, { kind: 'damage' });
    expect(same(await store.get('a'))).toBe(true);
    expect(proxy.seen.filter(isRange).length).toBe(6);
  });

  it('are sent anew where two complete at once', async () => {
    inTurn(isComplete, conflict);
    expect(await store.putNew('a', large)).toBe(true);
    expect(proxy.seen.filter(isPart).length).toBe(6);
    expect(same(await plain.get('a'))).toBe(true);
    expect(await uploads()).toEqual([]);
  });

  it('are read anew where somebody replaces them meanwhile', async () => {
    await plain.put('a', large);
    const other = large.slice().reverse();
    let replaced: Promise<void> | undefined;
    let ranges = 0;
    proxy.faults = request => {
      // The first range is of the old object, all others come when the new one is there.
      if (!isRange(request) || ++ranges === 1) return undefined;
      replaced ??= plain.put('a', other);
      return { kind: 'after', event: replaced };
    };
    const read = await store.get('a');
    expect(Buffer.compare(read!, other)).toBe(0);
  });

  it('leave no parts behind when they cannot be written', async () => {
    proxy.faults = request => (isPart(request) ? answer(403, 'AccessDenied') : undefined);
    await expect(store.putNew('a', large)).rejects.toThrow(PermanentError);
    expect(await uploads()).toEqual([]);
    expect(await plain.head('a')).toBeUndefined();
  });
});
