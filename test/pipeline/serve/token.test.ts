/** Tokens: signed by real keys, and every way in which one can be wrong. */
import { createSign, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { TokenRules } from '#pipeline/serve/api-ports';
import { apiWorld, asked, closesApi, get } from './api-world.ts';

closesApi();

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwk = (key: KeyObject, kid: string) => ({ ...key.export({ format: 'jwk' }), kid });
const keySet = { keys: [jwk(rsa.publicKey, 'r'), jwk(ec.publicKey, 'e')] };

const rules: TokenRules = { issuer: 'https://issuer', audience: 'api', scope: 'segment' };
const now = 1_800_000_000;
const good = { iss: 'https://issuer', aud: 'api', exp: now + 60, sub: 'me', scope: 'read segment' };
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

function rs256(claims: object, key = rsa.privateKey, header: object = { alg: 'RS256', kid: 'r' }): string {
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${createSign('RSA-SHA256').update(text).sign(key).toString('base64url')}`;
}

function es256(claims: object): string {
  const text = `${part({ alg: 'ES256', kid: 'e' })}.${part(claims)}`;
  return `${text}.${sign('SHA256', Buffer.from(text), { key: ec.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

describe('where tokens are asked for', () => {
  const statusOf = async (authorization?: string) => {
    const world = apiWorld({ token: rules }, { tokenKeys: async () => keySet });
    const response = await asked(world, 'listModels', get('/v1/models', authorization ? { authorization } : {}));
    if (response.status === 401) expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
    return response.status;
  };

  it('lets good ones in', async () => {
    expect(await statusOf(`Bearer ${rs256(good)}`)).toBe(200);
    expect(await statusOf(`bearer ${es256({ ...good, aud: ['other', 'api'] })}`)).toBe(200);
  });

  it.each([
    ['none', ''],
    ['another scheme', 'Basic YTpi'],
    ['no token', 'Bearer abc'],
    ['unsigned', `Bearer ${part({ alg: 'none' })}.${part(good)}.`],
    ['a shared secret', `Bearer ${part({ alg: 'HS256', kid: 'r' })}.${part(good)}.AAAA`],
    ['a strange key', `Bearer ${rs256(good, stranger.privateKey)}`],
    ['an unknown key', `Bearer ${rs256(good, stranger.privateKey, { alg: 'RS256', kid: 'z' })}`],
    ['a changed claim', `Bearer ${rs256(good).replace(part(good), part({ ...good, sub: 'you' }))}`],
    ['expired', `Bearer ${rs256({ ...good, exp: now - 60 })}`],
    ['too early', `Bearer ${rs256({ ...good, nbf: now + 60 })}`],
    ['another issuer', `Bearer ${rs256({ ...good, iss: 'https://evil' })}`],
    ['another audience', `Bearer ${rs256({ ...good, aud: 'web' })}`],
    ['for ever', `Bearer ${rs256({ ...good, exp: undefined })}`],
    ['a header of 9,000 letters', `Bearer ${'a'.repeat(9000)}.b.c`],
  ])('refuses %s', async (_, authorization) => {
    expect(await statusOf(authorization)).toBe(401);
  });

  it('forbids what the scope does not hold', async () => {
    expect(await statusOf(`Bearer ${rs256({ ...good, scope: 'read' })}`)).toBe(403);
  });

  it('leaves health and the document open', async () => {
    const { app } = apiWorld({ token: rules }, { tokenKeys: async () => keySet });
    for (const path of ['/healthz', '/openapi.json', '/v2/health/live'])
      expect((await app.fetch(get(path))).status).toBe(200);
  });

  it('reads the keys again when they were changed', async () => {
    let set = { keys: [keySet.keys[1]!] };
    let reads = 0;
    const world = apiWorld(
      { token: rules },
      {
        tokenKeys: async () => {
          reads++;
          return set;
        },
      },
    );
    const status = async () =>
      (await world.app.fetch(get('/v1/models', { authorization: `Bearer ${rs256(good)}` }))).status;
    expect(await status()).toBe(401);
    set = keySet as typeof set;
    expect([await status(), reads]).toEqual([401, 1]);
    world.clock.time += 31_000;
    expect([await status(), reads]).toEqual([200, 2]);
  });
});
