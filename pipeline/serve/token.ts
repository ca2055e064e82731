/** JSON Web Tokens: whether a request carries one that was signed for this server (RFC 7519, RFC 8725). */
import * as z from 'zod';
import type { Clock } from '../ports.ts';
import type { TokenRules } from './api-ports.ts';
import { Problem } from './problem.ts';

/** A public key as JSON (RFC 7517). */
interface Key {
  readonly kty: string;
  readonly kid?: string;
}

/** The public keys a token may be signed with: asymmetric ones only, so that the server holds no secret. */
const algorithms = {
  RS256: { kty: 'RSA', import: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, verify: { name: 'RSASSA-PKCS1-v1_5' } },
  ES256: { kty: 'EC', import: { name: 'ECDSA', namedCurve: 'P-256' }, verify: { name: 'ECDSA', hash: 'SHA-256' } },
} as const;

const header = z.looseObject({ alg: z.enum(['RS256', 'ES256']), kid: z.string().optional() });
const claims = z.looseObject({
  iss: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  exp: z.number(),
  nbf: z.number().optional(),
  sub: z.string().optional(),
  scope: z.string().optional(),
});

type Claims = z.output<typeof claims>;

/** Clocks differ by so many seconds. */
const leeway = 30;
/** Keys are read again after this, and at most this often for a key that is not known. */
const keysFor = 300_000;
const askAgainAfter = 30_000;
const longestToken = 8192;

const refusal = (detail: string) =>
  new Problem('unauthorised', detail, { headers: { 'www-authenticate': 'Bearer error="invalid_token"' } });

export class TokenCheck {
  readonly #rules: TokenRules;
  readonly #fetchKeys: () => Promise<unknown>;
  readonly #clock: Clock;
  #keys: { readonly list: readonly Key[]; readonly read: number } | undefined;

  /** @param fetchKeys a JWKS document (RFC 7517) */
  constructor(rules: TokenRules, fetchKeys: () => Promise<unknown>, clock: Clock) {
    this.#rules = rules;
    this.#fetchKeys = fetchKeys;
    this.#clock = clock;
  }

  /** @returns whose token it is @throws Problem 401, or 403 if the token is good but its scope does not suffice */
  async subjectOf(authorization: string | null): Promise<string> {
    const [, token] = /^bearer +([\w.-]+)$/i.exec(authorization ?? '') ?? [];
    if (!token || token.length > longestToken) {
      throw new Problem('unauthorised', 'send Authorization: Bearer TOKEN', {
        headers: { 'www-authenticate': 'Bearer' },
      });
    }
    const parts = token.split('.');
    if (parts.length !== 3) throw refusal('the token is no signed JSON Web Token');
    const { alg, kid } = decoded(header, parts[0]!);
    const key = await this.#key(algorithms[alg].kty, kid);
    if (!(await isSigned(algorithms[alg], key, parts as [string, string, string])))
      throw refusal('the signature of the token is wrong');
    const content = decoded(claims, parts[1]!);
    this.#assertMeant(content);
    return content.sub ?? '';
  }

  #assertMeant({ iss, aud, exp, nbf, scope }: Claims): void {
    const now = this.#clock.now() / 1000;
    if (exp + leeway < now) throw refusal('the token has expired');
    if (nbf !== undefined && nbf - leeway > now) throw refusal('the token is not valid yet');
    if (iss !== this.#rules.issuer) throw refusal('the token is of another issuer');
    if (![aud].flat().includes(this.#rules.audience)) throw refusal('the token is meant for another audience');
    const wanted = this.#rules.scope;
    if (wanted !== undefined && !(scope ?? '').split(' ').includes(wanted)) {
      throw new Problem('forbidden', `the token lacks the scope ${wanted}`);
    }
  }

  async #key(kty: string, kid: string | undefined): Promise<Key> {
    const now = this.#clock.now();
    const find = () => this.#keys?.list.find(key => key.kty === kty && (kid === undefined || key.kid === kid));
    const age = this.#keys ? now - this.#keys.read : Number.POSITIVE_INFINITY;
    if (age > keysFor || (!find() && age > askAgainAfter)) {
      const document = (await this.#fetchKeys()) as { keys?: readonly Key[] };
      this.#keys = { list: document.keys ?? [], read: now };
    }
    const key = find();
    if (!key) throw refusal('the token is signed with an unknown key');
    return key;
  }
}

async function isSigned(
  algorithm: (typeof algorithms)[keyof typeof algorithms],
  key: Key,
  [head, body, signature]: [string, string, string],
): Promise<boolean> {
  const imported = await crypto.subtle.importKey('jwk', key, algorithm.import, false, ['verify']);
  const signed = new TextEncoder().encode(`${head}.${body}`);
  return crypto.subtle.verify(algorithm.verify, imported, Buffer.from(signature, 'base64url'), signed);
}

function decoded<T>(schema: z.ZodType<T>, part: string): T {
  try {
    return schema.parse(JSON.parse(Buffer.from(part, 'base64url').toString('utf8')));
  } catch {
    throw refusal('the token is no JSON Web Token signed with RS256 or ES256');
  }
}
