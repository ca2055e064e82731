/** Addresses that clients name: what is refused is refused before any connection, by name, by address and behind redirects. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { isPublicAddress } from '#adapters/http/public-address';
import { PublicFetch, type PublicFetchOptions } from '#adapters/http/public-fetch';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

/** @returns its port */
async function serving(listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Names lead to this machine, which counts as public here; nothing else does. */
function local(port: number, more: Partial<PublicFetchOptions> = {}): PublicFetch {
  return new PublicFetch({
    hosts: ['*'],
    ports: [port],
    seconds: 2,
    resolve: async () => [{ address: '127.0.0.1', family: 4 }],
    mayConnect: address => address === '127.0.0.1',
    ...more,
  });
}

describe('public addresses', () => {
  it.each(['1.1.1.1', '8.8.8.8', '172.15.255.255', '172.32.0.1', '100.63.0.1', '223.255.255.255', '2606:4700::1111'])(
    '%s is one',
    address => expect(isPublicAddress(address)).toBe(true),
  );

  it.each([
    ...[
      '0.0.0.0',
      '10.1.2.3',
      '100.64.0.1',
      '127.0.0.1',
      '127.255.0.1',
      '169.254.169.254',
      '172.16.0.1',
      '172.31.255.255',
    ],
    ...['192.168.0.1', '192.0.2.1', '198.18.0.1', '224.0.0.1', '255.255.255.255', '240.0.0.1'],
    ...[
      '::',
      '::1',
      '::ffff:8.8.8.8',
      '::ffff:127.0.0.1',
      '::7f00:1',
      'fe80::1',
      'fc00::1',
      'fd00:ec2::254',
      'ff02::1',
    ],
    ...['64:ff9b::a9fe:a9fe', '2002:a9fe:a9fe::1', '2001::1', '2001:db8::1', 'fe80::1%eth0', 'localhost', ''],
  ])('%s is none', address => expect(isPublicAddress(address)).toBe(false));
});

describe('fetching', () => {
  it('gets the bytes of an address, by the one that was looked up', async () => {
    const hosts: (string | undefined)[] = [];
    const port = await serving((request, response) => {
      hosts.push(request.headers.host);
      response.end('picture');
    });
    const fetched = await local(port).fetch(`http://photos.example:${port}/a.jpg`, 100);
    expect(fetched).toEqual({ kind: 'fetched', bytes: new TextEncoder().encode('picture') });
    expect(hosts).toEqual([`photos.example:${port}`]);
  });

  it.each([
    ...[
      'http://169.254.169.254/latest/meta-data/',
      'http://[fd00:ec2::254]/',
      'http://127.0.0.1/',
      'http://localhost/',
    ],
    ...[
      'http://2130706433/',
      'http://0x7f.1/',
      'http://0177.0.0.1/',
      'http://[::ffff:127.0.0.1]/',
      'http://0/',
      'http://10.0.0.1/',
    ],
    ...['http://[::ffff:a9fe:a9fe]/', 'https://192.168.1.1/', 'http://169.254.170.2/v2/credentials'],
  ])('%s is refused without a connection', async address => {
    const anyHost = new PublicFetch({
      hosts: ['*'],
      seconds: 2,
      resolve: async () => [{ address: '127.0.0.1', family: 4 }],
    });
    expect(await anyHost.fetch(address, 100)).toEqual({ kind: 'refused', reason: 'the address is not public' });
  });

  it.each([
    ['file:///etc/passwd', /https/],
    ['gopher://x/', /https/],
    ['ftp://x/', /https/],
    ['http://user:word@photos.example/', /password/],
    ['http://photos.example:22/', /port/],
    ['no address', /no web address/],
    ['http://', /no web address/],
  ])('%s is refused', async (address, words) => {
    const fetched = await new PublicFetch({ hosts: ['*'], seconds: 2 }).fetch(address, 100);
    expect(fetched).toEqual({ kind: 'refused', reason: expect.stringMatching(words) });
  });

  it('refuses every host that is not on the list, before it is looked up', async () => {
    let lookups = 0;
    const resolve = async () => {
      lookups++;
      return [];
    };
    const few = new PublicFetch({ hosts: ['a.example', '*.b.example'], resolve });
    for (const host of ['c.example', 'b.example', 'evilb.example', 'a.example.evil']) {
      expect((await few.fetch(`https://${host}/`, 1)).kind).toBe('refused');
    }
    expect(lookups).toBe(0);
    expect((await few.fetch('https://x.b.example/', 1)).kind).toBe('failed');
    expect((await few.fetch('https://a.example/', 1)).kind).toBe('failed');
    expect((await new PublicFetch({ hosts: [] }).fetch('https://a.example/', 1)).kind).toBe('refused');
  });

  it('refuses a name with one private address among public ones', async () => {
    const both = [
      { address: '1.1.1.1', family: 4 },
      { address: '10.0.0.1', family: 4 },
    ];
    const fetched = await new PublicFetch({ hosts: ['*'], resolve: async () => both }).fetch(
      'http://mixed.example/',
      1,
    );
    expect(fetched.kind).toBe('refused');
  });

  it('follows redirects, and checks each', async () => {
    const port = await serving((request, response) => {
      const to = new URL(request.url!, 'http://x').searchParams.get('to');
      if (to) response.writeHead(302, { location: to }).end();
      else response.end('there');
    });
    const at = (to: string) => `http://photos.example:${port}/?to=${encodeURIComponent(to)}`;
    expect((await local(port).fetch(at('/'), 100)).kind).toBe('fetched');
    for (const to of [`http://169.254.169.254:${port}/`, 'file:///etc/passwd', `http://[::1]:${port}/`]) {
      expect((await local(port).fetch(at(to), 100)).kind).toBe('refused');
    }
    const looping = at(`/?to=${encodeURIComponent('/?to=/%3Fto=/%3Fto=/x')}`);
    expect((await local(port).fetch(looping, 100)).kind).not.toBe('fetched');
  });

  it('stops at the limit, said or not', async () => {
    const port = await serving((request, response) => {
      if (request.url === '/said') response.setHeader('content-length', '1000');
      response.write('x'.repeat(600));
      response.end('x'.repeat(400));
    });
    for (const path of ['said', 'chunked']) {
      expect(await local(port).fetch(`http://photos.example:${port}/${path}`, 999)).toEqual({ kind: 'too-large' });
    }
  });

  it('gives up on what is slow, broken or not there', async () => {
    const port = await serving((request, response) => {
      if (request.url === '/404') response.writeHead(404).end();
      if (request.url === '/cut') {
        response.writeHead(200, { 'content-length': '10' });
        response.write('x');
        setTimeout(() => request.socket.destroy(), 20);
      }
    });
    const reason = async (path: string) => {
      const fetched = await local(port, { seconds: 0.3 }).fetch(`http://photos.example:${port}/${path}`, 100);
      return fetched.kind === 'failed' ? fetched.reason : fetched.kind;
    };
    expect(await reason('404')).toMatch(/404/);
    expect(await reason('cut')).toMatch(/does not answer/);
    expect(await reason('slow')).toMatch(/too long/);
  });
});
