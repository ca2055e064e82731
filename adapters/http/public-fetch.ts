/**
 * Fetching addresses that clients name, without becoming their tool against the network this server is in: the host must be on the
 * list, every address of its name must be public, the connection goes to the address that was checked, and redirects start over.
 */
import { lookup } from 'node:dns/promises';
import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import { isPublicAddress } from './public-address.ts';

interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

export interface PublicFetchOptions {
  /** Hosts that may be fetched from; `*.example.org` for all below one; `*` for any public one. */
  readonly hosts: readonly string[];
  /** For everything together. Default 10. */
  readonly seconds?: number;
  readonly ports?: readonly number[];
  readonly resolve?: (host: string) => Promise<readonly ResolvedAddress[]>;
  readonly mayConnect?: (address: string) => boolean;
}

export type Fetched =
  | { readonly kind: 'fetched'; readonly bytes: Uint8Array }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'failed'; readonly reason: string };

const mostRedirects = 3;

const refused = (reason: string): Fetched => ({ kind: 'refused', reason });
const failed = (reason: string): Fetched => ({ kind: 'failed', reason });

export class PublicFetch {
  readonly #options: Required<PublicFetchOptions>;

  constructor(options: PublicFetchOptions) {
    this.#options = {
      seconds: 10,
      ports: [80, 443],
      resolve: host => lookup(host, { all: true }),
      mayConnect: isPublicAddress,
      ...options,
    };
  }

  /** @param limit bytes of the body */
  async fetch(address: string, limit: number): Promise<Fetched> {
    const signal = AbortSignal.timeout(this.#options.seconds * 1000);
    let next = address;
    for (let i = 0; i <= mostRedirects; i++) {
      const step = await this.#step(next, limit, signal);
      if (!('location' in step)) return step;
      next = step.location;
    }
    return failed('the address redirects too often');
  }

  async #step(address: string, limit: number, signal: AbortSignal): Promise<Fetched | { location: string }> {
    const url = parsed(address);
    const objection = url ? this.#objection(url) : 'url is no web address';
    if (!url || objection) return refused(objection!);
    const target = await this.#resolved(url);
    if ('kind' in target) return target;
    try {
      return await received(await begun(url, target, signal), url, limit);
    } catch {
      return failed(
        signal.aborted ? 'the address takes too long to answer' : 'the address does not answer as it should',
      );
    }
  }

  /** Why it is not even looked up. */
  #objection({ protocol, port, username, password, hostname }: URL): string | undefined {
    if (protocol !== 'http:' && protocol !== 'https:') return 'url must begin with https:// or http://';
    if (username || password) return 'url must not hold a password';
    const number = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
    if (!this.#options.ports.includes(number)) return 'url must use the usual port';
    if (this.#options.hosts.length === 0) return 'this server fetches no addresses; send the bytes';
    if (!this.#options.hosts.some(rule => fits(rule, hostname)))
      return 'this server does not fetch from that host; send the bytes';
    return undefined;
  }

  /** The address to connect to. One that is not public spoils the name: names may change between two questions. */
  async #resolved({ hostname }: URL): Promise<ResolvedAddress | Fetched> {
    const host = hostname.replace(/^\[|\]$/g, '');
    const family = isIP(host);
    const found = family ? [{ address: host, family }] : await this.#options.resolve(host).catch(() => []);
    const [first] = found;
    if (!first) return failed('the host of the address is not known');
    if (!found.every(({ address }) => this.#options.mayConnect(address))) return refused('the address is not public');
    return first;
  }
}

function parsed(address: string): URL | undefined {
  return URL.canParse(address) ? new URL(address) : undefined;
}

const fits = (rule: string, host: string): boolean =>
  rule === '*' || rule === host || (rule.startsWith('*.') && host.endsWith(rule.slice(1)));

/** Asks the one address, whatever the name would mean by now. */
function begun(url: URL, { address, family }: ResolvedAddress, signal: AbortSignal): Promise<IncomingMessage> {
  const options: RequestOptions = {
    agent: false,
    signal,
    headers: { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': 'selflabel' },
    lookup: (_host, { all }, found) => (all ? found(null, [{ address, family }]) : found(null, address, family)),
  };
  const ask = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    ask(url, options, resolve).on('error', reject).end();
  });
}

async function received(answer: IncomingMessage, url: URL, limit: number): Promise<Fetched | { location: string }> {
  const { statusCode = 0, headers } = answer;
  try {
    if (statusCode >= 300 && statusCode < 400 && headers.location) {
      const next = URL.canParse(headers.location, url.href) ? new URL(headers.location, url) : undefined;
      return next ? { location: next.href } : failed('the address redirects to nowhere');
    }
    if (statusCode !== 200) return failed(`the address answers with ${statusCode}`);
    if (Number(headers['content-length'] ?? 0) > limit) return { kind: 'too-large' };
    return await bodyOf(answer, limit);
  } finally {
    answer.destroy();
  }
}

async function bodyOf(answer: IncomingMessage, limit: number): Promise<Fetched> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > limit) return { kind: 'too-large' };
    parts.push(part);
  }
  return { kind: 'fetched', bytes: new Uint8Array(Buffer.concat(parts)) };
}
