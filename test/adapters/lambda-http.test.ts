/** Events of API Gateway (REST and HTTP), function URLs and load balancers as requests, and answers back. */
import { describe, expect, it } from 'vitest';
import { type HttpEvent, requestOfEvent, resultOfAnswer } from '#adapters/aws/lambda-http';
import type { ApiRequest } from '#core/api/exchange';

/** The body, read to its end. */
async function bodyOf({ body }: ApiRequest): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of body ?? []) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}

const photo = Uint8Array.of(0xff, 0xd8, 0xff, 0, 128);
const packed = { body: Buffer.from(photo).toString('base64'), isBase64Encoded: true };

const events: Record<string, HttpEvent> = {
  'REST API': {
    httpMethod: 'POST',
    path: '/v1/segment',
    headers: { 'Content-Type': 'image/jpeg' },
    multiValueHeaders: {
      'Content-Type': ['image/jpeg'],
      Accept: ['image/png', 'application/json'],
      'Content-Length': ['5'],
    },
    queryStringParameters: { name: 'a b&c' },
    multiValueQueryStringParameters: { name: ['a b&c'], size: ['100'] },
    ...packed,
  },
  'function URL': {
    rawPath: '/v1/segment',
    rawQueryString: 'name=a%20b%26c&size=100',
    headers: { 'content-type': 'image/jpeg', accept: 'image/png, application/json' },
    requestContext: { http: { method: 'POST' } },
    ...packed,
  },
  'load balancer': {
    httpMethod: 'POST',
    path: '/v1/segment',
    headers: { 'content-type': 'image/jpeg', accept: 'image/png, application/json' },
    queryStringParameters: { name: 'a%20b%26c', size: '100' },
    requestContext: { elb: {} },
    ...packed,
  },
};

describe.each(Object.entries(events))('an event of a %s', (_, event) => {
  it('is the request that was sent', async () => {
    const request = requestOfEvent(event);
    const { pathname, searchParams } = new URL(request.url);
    expect([request.method, pathname]).toEqual(['POST', '/v1/segment']);
    expect(Object.fromEntries(searchParams)).toEqual({ name: 'a b&c', size: '100' });
    expect(request.headers.get('content-type')).toBe('image/jpeg');
    expect(request.headers.get('accept')).toBe('image/png, application/json');
    expect(request.headers.get('Content-Length')).toBeNull();
    expect(await bodyOf(request)).toEqual(photo);
  });
});

describe('events', () => {
  it('with text, without anything, with nothing but a path', async () => {
    const text = requestOfEvent({ httpMethod: 'POST', path: '/x', body: 'ä', isBase64Encoded: false });
    expect(new TextDecoder().decode(await bodyOf(text))).toBe('ä');
    const bare = requestOfEvent({ path: 'x', headers: null, multiValueQueryStringParameters: null, body: null });
    expect([bare.method, new URL(bare.url).pathname, bare.body]).toEqual(['GET', '/x', null]);
  });
});

describe('results', () => {
  it('hold pictures as base64 and documents as text', () => {
    const picture = resultOfAnswer({
      status: 200,
      headers: { 'content-type': 'image/png', 'content-length': '5' },
      bytes: photo,
    });
    expect(picture).toMatchObject({ statusCode: 200, isBase64Encoded: true, body: packed.body });
    expect(picture.headers).toEqual({ 'content-type': 'image/png' });
    for (const type of [
      'application/json',
      'application/problem+json',
      'application/geo+json',
      'application/xml',
      'text/html; charset=utf-8',
    ]) {
      const bytes = new TextEncoder().encode('"ä"');
      const document = resultOfAnswer({ status: 404, headers: { 'content-type': type }, bytes });
      expect(document).toMatchObject({ statusCode: 404, isBase64Encoded: false, body: '"ä"' });
    }
    const empty = resultOfAnswer({ status: 204, headers: {}, bytes: new Uint8Array(0) });
    expect(empty).toMatchObject({ statusCode: 204, body: '' });
  });
});
