/** A model over HTTP, from a folder or from a bucket: the API behind Node's server, until the process is told to stop. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type HttpServer, listen } from '#adapters/http/http-server';
import { FolderStore } from '#adapters/local/folder-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { promptStore } from '#adapters/local/prompt-store';
import { systemClock } from '#adapters/local/system-clock';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { PixelThreads } from '#adapters/threads/pixel-threads';
import { PermanentError, UsageError } from '#core/errors';
import type { ModelRunner, Tuning } from '#pipeline/ports';
import type { RequestLine, ServeOptions, ServePorts } from '#pipeline/serve/api-ports';
import { type ServeApp, serveApp } from '#pipeline/serve/app';
import { folderModel, type ModelSource } from '#pipeline/serve/model-source';
import { warmingUp } from '#pipeline/serve/warm-up';
import { assertModelFolder } from './model-folder.ts';
import type { ServeCommand } from './serve.ts';
import type { PlacePorts } from './serve-bucket.ts';

export interface ServeTools {
  readonly models: ModelRunner;
  readonly tuning: Tuning;
  /** Called when what a first answer needs has been compiled. */
  readonly keepCompiled?: (() => void) | undefined;
}

/** Answers until the process is told to stop. */
export async function serveModel(place: string, options: ServeCommand, tools: ServeTools): Promise<void> {
  const { models, tuning, keepCompiled = () => undefined } = tools;
  let starting = true;
  const told = stopped();
  const pixels = new PixelThreads(tuning.threads);
  try {
    const ports = await portsOf(place, options, models, () => starting);
    const log = afterFirstImage(ports.log, keepCompiled);
    const app = serveApp({ ...ports, log, pixels, tuning }, optionsOf(options));
    const server = await listening(app, place, options);
    starting = false;
    process.stderr.write(`serving ${place} on http://${options.host}:${server.port}\n`);
    await told;
    app.stop();
    keepCompiled();
    process.stderr.write('stopping; requests under way are finished\n');
    await closeAll(app, server);
  } finally {
    await pixels.close();
  }
}

/** The port is taken while the model loads. */
async function listening(app: ServeApp, place: string, options: ServeCommand): Promise<HttpServer> {
  const usable = assertUsable(app, place);
  usable.catch(() => undefined);
  const server = await listen(app, options).catch(explain(options));
  try {
    await usable;
    return server;
  } catch (error) {
    await server.stop(0);
    throw error;
  }
}

/** Milliseconds, so that nobody waits who asks for a few images at once. */
const quietly = 1000;

/** The log as it is; a while after the first image was answered it sets off the work. */
function afterFirstImage(log: ServePorts['log'], work: () => void): ServePorts['log'] {
  let first = true;
  return line => {
    log(line);
    if (!first || line.status !== 200 || line.path !== '/v1/segment') return;
    first = false;
    setTimeout(work, quietly).unref();
  };
}

const graceSeconds = 25;

async function closeAll(app: ServeApp, server: HttpServer): Promise<void> {
  await server.stop(graceSeconds);
  await app.close();
}

/** A folder with a model that cannot be used is said at once; a bucket may be filled later, and requests say what it lacks. */
async function assertUsable(app: ServeApp, place: string): Promise<void> {
  try {
    await app.prepare();
  } catch (error) {
    if (!place.startsWith('s3://')) throw new PermanentError(`${place}: ${(error as Error).message}`, { cause: error });
  }
}

/** From now on: a model that is being opened is not torn down. The second time of a signal ends the process at once. */
function stopped(): Promise<void> {
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const before = process.rawListeners(signal) as NodeJS.SignalsListener[];
      process.once(signal, () => resolve());
      // Only now: a signal that is under way while nobody listens is lost.
      for (const listener of before) process.removeListener(signal, listener);
    }
  });
}

const explain =
  ({ port, host }: ServeCommand) =>
  (error: unknown): never => {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') throw new PermanentError(`port ${port} is taken; choose another with --port`);
    if (code === 'EACCES') throw new PermanentError(`port ${port} is not allowed; choose one above 1023 with --port`);
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      throw new PermanentError(`${host} is no address of this machine; leave --host out or give 0.0.0.0`);
    }
    throw error;
  };

async function portsOf(
  place: string,
  options: ServeCommand,
  models: ModelRunner,
  isStarting: () => boolean,
): Promise<Omit<ServePorts, 'pixels' | 'tuning'>> {
  const { allowUrls = [], imageBuckets = [], jwtKeys, quiet } = options;
  const where = await placePorts(place, imageBuckets, isStarting);
  const images = new SharpCodec();
  return {
    ...where,
    models: warmingUp(models, images),
    images,
    digest: nodeDigest,
    clock: systemClock,
    fetchUrl: fetchFrom(allowUrls),
    ...(jwtKeys !== undefined && { tokenKeys: () => readKeys(jwtKeys) }),
    newId: randomUUID,
    log: quiet ? () => undefined : printLine,
    note: text => process.stderr.write(`${text}\n`),
  };
}

/** Loaded for the first address. */
function fetchFrom(hosts: readonly string[]): ServePorts['fetchUrl'] {
  const opening = async () => new (await import('#adapters/http/public-fetch')).PublicFetch({ hosts });
  let opened: ReturnType<typeof opening> | undefined;
  return async (url, limit) => {
    opened ??= opening();
    return (await opened).fetch(url, limit);
  };
}

const printLine = (line: RequestLine) => process.stderr.write(`${JSON.stringify(line)}\n`);

/** What depends on where the model lies. The clients of AWS are loaded only where a bucket is named. */
async function placePorts(
  place: string,
  imageBuckets: readonly string[],
  isStarting: () => boolean,
): Promise<PlacePorts> {
  const inBucket = place.startsWith('s3://');
  if (!inBucket && imageBuckets.length === 0) {
    return { source: folderModel(await openModelFolder(place, isStarting)), imageBucket: () => undefined };
  }
  const { bucketPorts, imageBucketsOf } = await import('./serve-bucket.ts');
  if (inBucket) return bucketPorts(place, imageBuckets);
  return { source: folderModel(await openModelFolder(place, isStarting)), imageBucket: imageBucketsOf(imageBuckets) };
}

/** @throws PermanentError if no model lies there */
async function openModelFolder(folder: string, isStarting: () => boolean): Promise<ModelSource['store']> {
  assertModelFolder(folder);
  return promptStore(folder, await FolderStore.open(folder), isStarting);
}

function optionsOf({ model, cors, jwtIssuer, jwtAudience, jwtKeys, jwtScope }: ServeCommand): ServeOptions {
  const given = [jwtIssuer, jwtAudience, jwtKeys].filter(value => value !== undefined).length;
  if (given !== 0 && given !== 3) throw new UsageError('--jwt-issuer, --jwt-audience and --jwt-keys belong together');
  const token = given === 3 ? { issuer: jwtIssuer!, audience: jwtAudience!, scope: jwtScope } : undefined;
  return { model, corsOrigin: cors, token, recheckSeconds: 2 };
}

async function readKeys(place: string): Promise<unknown> {
  if (!/^https?:/.test(place)) return JSON.parse(readFileSync(place, 'utf8'));
  const { fetchTokenKeys } = await import('#adapters/http/token-keys');
  return fetchTokenKeys(place);
}
