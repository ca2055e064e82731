/** `selflabel leaderboard serve`: the evaluation service on this machine; submissions come by HTTP, scores stay in a folder. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { availableParallelism } from 'node:os';
import type { Command } from 'commander';
import { FolderStore } from '#adapters/local/folder-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { systemClock } from '#adapters/local/system-clock';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { ZipArchive } from '#adapters/zip/zip-archive';
import type { Leaderboard } from '#core/benchmark/leaderboard';
import { isProtocol } from '#core/benchmark/submission';
import { UsageError } from '#core/errors';
import { keys } from '#core/job/keys';
import { leaderboardPage } from '#core/pages/leaderboard';
import { readJson } from '#pipeline/documents';
import { type ScoringPorts, scoreSubmission, type Verdict } from '#pipeline/score-submission';
import { integer } from './options.ts';
import { classesOption } from './shared-options.ts';
import { openTruth } from './truth-folder.ts';

interface ServeOptions {
  readonly masks: string;
  readonly out: string;
  readonly protocol: string[];
  readonly classes?: number;
  readonly port: number;
  readonly host: string;
  readonly perDay: number;
}

/** Larger uploads are refused before they are read. */
const largestUpload = 2 ** 30;

export function registerLeaderboard(program: Command): void {
  program
    .command('leaderboard')
    .description('an evaluation service on hidden masks')
    .command('serve')
    .description('take submissions by HTTP, score them, show the table')
    .requiredOption('--masks <dir>', 'the hidden ground truth')
    .option('--out <dir>', 'where the tables are kept', 'leaderboard-results')
    .option('--protocol <names...>', 'what may be sent: unsupervised, distance, semi-supervised, free, and a set', [
      'unsupervised-50',
    ])
    .addOption(classesOption())
    .option('--port <n>', '0: any that is free', integer(0, 65_535), 8080)
    .option('--host <address>', 'who may reach it', '127.0.0.1')
    .option('--per-day <n>', 'submissions of one submitter in 24 hours', integer(1, 10_000), 5)
    .action(serve);
}

async function serve(options: ServeOptions): Promise<void> {
  const wrong = options.protocol.find(name => !isProtocol(name));
  if (wrong !== undefined)
    throw new UsageError(`--protocol ${wrong}: expected a name like unsupervised-50 or free-mydata`);
  const service = await openService(options);
  const server = createServer((request, response) => {
    answer(service, request, response).catch(error => {
      process.stderr.write(`${request.method} ${request.url}: ${error.message}\n`);
      if (!response.headersSent)
        say(response, 500, { state: 'failed', reason: 'a fault of the service; nothing was counted' });
      response.end();
    });
  });
  server.listen(options.port, options.host, () => {
    const { port } = server.address() as { port: number };
    process.stdout.write(`http://${options.host}:${port}/\n`);
  });
  await new Promise(resolve => server.once('close', resolve));
}

interface Service {
  readonly store: FolderStore;
  readonly protocols: readonly string[];
  score(protocol: string, file: string, bytes: Uint8Array): Promise<Verdict>;
}

async function openService({ masks, out, protocol, classes, perDay }: ServeOptions): Promise<Service> {
  const images = new SharpCodec();
  const store = await FolderStore.open(out);
  const truth = await openTruth(masks, '--masks', images, folder => FolderStore.open(folder));
  const ports: ScoringPorts = {
    store,
    truth: truth.store,
    images,
    openZip: (bytes, name) =>
      ZipArchive.open(Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length), name),
    digest: nodeDigest,
    clock: systemClock,
    log: { progress: () => undefined, note: () => undefined },
    threads: availableParallelism(),
  };
  // One at a time: a submission may use the whole machine, and none gets ahead of another.
  let last: Promise<unknown> = Promise.resolve();
  return {
    store,
    protocols: protocol,
    score(name, file, bytes) {
      const submission = { protocol: name, file, bytes, masks: truth.masks, classes };
      const scored = last.then(() => scoreSubmission(ports, submission, { submissions: perDay, hours: 24 }));
      // The sender is told of a failure; the next in line must not be.
      last = scored.catch(() => undefined);
      return scored;
    },
  };
}

async function answer(service: Service, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = decodeURIComponent(new URL(request.url ?? '/', 'http://local').pathname);
  if (request.method === 'GET' && path === '/') return page(service, response);
  const [, table] = /^\/leaderboard\/([^/]+)\.json$/.exec(path) ?? [];
  if (request.method === 'GET' && table !== undefined && service.protocols.includes(table)) {
    return say(response, 200, await boardOf(service, table));
  }
  const [, protocol, file] = /^\/submissions\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
  if (request.method === 'PUT' && file !== undefined)
    return take(service, { protocol: protocol!, file }, request, response);
  say(response, 404, {
    state: 'turned away',
    reason: 'there is /, /leaderboard/PROTOCOL.json, and PUT /submissions/PROTOCOL/SUBMITTER-NAME.zip',
  });
}

async function take(
  service: Service,
  { protocol, file }: { protocol: string; file: string },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!service.protocols.includes(protocol)) {
    return say(response, 404, {
      state: 'turned away',
      reason: `not open: ${protocol}; open are ${service.protocols.join(', ')}`,
    });
  }
  const bytes = await readBody(request);
  if (!bytes) return say(response, 413, { state: 'turned away', reason: `larger than ${largestUpload} bytes` });
  const verdict = await service.score(protocol, file, bytes);
  say(response, verdict.state === 'turned away' ? 429 : verdict.state === 'refused' ? 422 : 200, verdict);
}

/** Undefined where it grows too large; the rest is not read. */
async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > largestUpload) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function boardOf({ store }: Service, protocol: string): Promise<Leaderboard> {
  const key = keys.leaderboard(protocol);
  return (await store.head(key)) ? readJson<Leaderboard>(store, key) : { version: 1, protocol, entries: [] };
}

async function page(service: Service, response: ServerResponse): Promise<void> {
  const boards = await Promise.all(service.protocols.map(name => boardOf(service, name)));
  const filled = boards.filter(({ entries }) => entries.length > 0);
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'x-content-type-options': 'nosniff' });
  response.end(leaderboardPage(filled, service.protocols));
}

function say(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'x-content-type-options': 'nosniff',
  });
  response.end(`${JSON.stringify(body)}\n`);
}
