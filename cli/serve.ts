/** `selflabel serve`: a model over HTTP, from a folder or from a bucket. */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { PresignedLinks } from '#adapters/aws/presigned-link';
import { S3Store } from '#adapters/aws/s3-store';
import { type HttpServer, listen } from '#adapters/http/http-server';
import { PublicFetch } from '#adapters/http/public-fetch';
import { fetchTokenKeys } from '#adapters/http/token-keys';
import { FolderStore } from '#adapters/local/folder-store';
import { nodeDigest } from '#adapters/local/node-digest';
import { systemClock } from '#adapters/local/system-clock';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { PermanentError, UsageError } from '#core/errors';
import type { RequestLine, ServeOptions, ServePorts } from '#pipeline/serve/api-ports';
import { type ServeApp, serveApp } from '#pipeline/serve/app';
import { folderModel, publishedModels } from '#pipeline/serve/model-source';
import { integer } from './options.ts';

interface ServeCommand {
  readonly port: number;
  readonly host: string;
  readonly threads?: number;
  readonly model?: string;
  readonly cors?: string;
  readonly allowUrls?: readonly string[];
  readonly imageBuckets?: readonly string[];
  readonly jwtIssuer?: string;
  readonly jwtAudience?: string;
  readonly jwtKeys?: string;
  readonly jwtScope?: string;
  readonly quiet?: boolean;
}

const more = `
  selflabel serve result/model
  curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' http://localhost:8080/v1/segment
  curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' -H 'Accept: image/png' \\
       http://localhost:8080/v1/segment > mask.png

s3://BUCKET serves the models published in a bucket, with jobs and large results.
A model or class names that change are taken up within seconds. /openapi.json describes everything.`;

const words = (text: string): string[] =>
  text
    .split(',')
    .map(word => word.trim())
    .filter(Boolean);

function origin(text: string): string {
  if (text === '*' || (URL.canParse(text) && new URL(text).origin === text)) return text;
  throw new InvalidArgumentError('expected an origin as https://example.org, or *');
}

export function registerServe(program: Command): void {
  program
    .command('serve')
    .description('answer over HTTP with a model')
    .argument('<model>', 'folder with model.onnx and card.json (DIR/model after a run), or s3://BUCKET')
    .option('--port <n>', 'where to listen; 0: any free port', integer(0, 65_535), 8080)
    .option('--host <address>', 'who may reach it: 127.0.0.1 this machine only, 0.0.0.0 everybody', '127.0.0.1')
    .option('--threads <n>', 'images in the model at once (default: all cores)', integer(1, 256))
    .option('--model <name>', 'with s3://BUCKET: the model of requests that name none')
    .option('--cors <origin>', 'origin whose pages may call (default: none)', origin)
    .option(
      '--allow-urls <hosts>',
      'hosts that "url" may name, with commas; * for any public one (default: none)',
      words,
    )
    .option('--image-buckets <names>', 'further buckets that "s3Uri" may name, with commas', words)
    .option('--jwt-issuer <text>', 'ask for tokens (JWT) of this issuer')
    .option('--jwt-audience <text>', 'the audience tokens must be meant for')
    .option('--jwt-keys <file>', 'public keys that sign tokens: a JWKS file or its address')
    .option('--jwt-scope <text>', 'the scope tokens must have')
    .option('--quiet', 'no line per request on stderr')
    .addHelpText('after', more)
    .action(serve);
}

/** Answers until the process is told to stop. */
async function serve(place: string, options: ServeCommand): Promise<void> {
  const models = new OnnxRuntime();
  try {
    const app = serveApp(await portsOf(place, options, models), optionsOf(options));
    const server = await listen(app, options).catch(explain(options));
    await assertUsable(app, place);
    process.stderr.write(`serving ${place} on http://${options.host}:${server.port}\n`);
    await stopped();
    app.stop();
    process.stderr.write('stopping; requests under way are finished\n');
    await closeAll(app, server);
  } finally {
    await models.close();
  }
}

const graceSeconds = 25;

async function closeAll(app: ServeApp, server: HttpServer): Promise<void> {
  await server.stop(graceSeconds);
  await app.close();
}

/** A folder with a model that cannot be used is said at once; a bucket may be filled later. */
async function assertUsable(app: ServeApp, place: string): Promise<void> {
  if (place.startsWith('s3://')) return;
  const ready = await app.fetch(new Request('http://localhost/readyz'));
  if (ready.ok) return;
  const { detail } = (await ready.json()) as { detail: string };
  throw new PermanentError(`${place}: ${detail}`);
}

function stopped(): Promise<void> {
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.removeAllListeners(signal);
      process.once(signal, () => resolve());
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

async function portsOf(place: string, options: ServeCommand, models: OnnxRuntime): Promise<ServePorts> {
  const { threads = availableParallelism(), allowUrls = [], imageBuckets = [], jwtKeys, quiet } = options;
  const { buckets, ...source } = await placePorts(place, imageBuckets);
  const addresses = new PublicFetch({ hosts: allowUrls });
  return {
    ...source,
    models,
    images: new SharpCodec(),
    digest: nodeDigest,
    clock: systemClock,
    tuning: { threads },
    imageBucket: name => buckets.get(name),
    fetchUrl: (url, limit) => addresses.fetch(url, limit),
    ...(jwtKeys !== undefined && { tokenKeys: () => readKeys(jwtKeys) }),
    newId: randomUUID,
    log: quiet ? () => undefined : printLine,
    note: text => process.stderr.write(`${text}\n`),
  };
}

const printLine = (line: RequestLine) => process.stderr.write(`${JSON.stringify(line)}\n`);

/** What depends on where the model lies. */
async function placePorts(place: string, imageBuckets: readonly string[]) {
  const further = new Map(imageBuckets.map(name => [name, new S3Store({ bucket: name })]));
  if (!place.startsWith('s3://')) return { source: folderModel(await openModelFolder(place)), buckets: further };
  const bucket = place.slice('s3://'.length).replace(/\/$/, '');
  if (!/^[a-z0-9.-]{3,63}$/.test(bucket)) throw new UsageError(`${place} is no bucket; give s3://BUCKET`);
  const store = new S3Store({ bucket });
  const links = new PresignedLinks({ bucket });
  return {
    source: publishedModels(store),
    store,
    link: (key: string, seconds: number) => links.link(key, seconds),
    buckets: further.set(bucket, store),
  };
}

/** @throws PermanentError if no model lies there */
function openModelFolder(folder: string): Promise<FolderStore> {
  const missing = ['model.onnx', 'card.json'].find(file => !existsSync(join(folder, file)));
  if (missing && existsSync(join(folder, 'model', missing))) {
    throw new PermanentError(`${folder} is the folder of a run; give its model, ${join(folder, 'model')}`);
  }
  if (missing)
    throw new PermanentError(
      `${join(folder, missing)} does not exist; give the folder of a model, DIR/model after a run`,
    );
  return FolderStore.open(folder);
}

function optionsOf({ model, cors, jwtIssuer, jwtAudience, jwtKeys, jwtScope }: ServeCommand): ServeOptions {
  const given = [jwtIssuer, jwtAudience, jwtKeys].filter(value => value !== undefined).length;
  if (given !== 0 && given !== 3) throw new UsageError('--jwt-issuer, --jwt-audience and --jwt-keys belong together');
  const token = given === 3 ? { issuer: jwtIssuer!, audience: jwtAudience!, scope: jwtScope } : undefined;
  return { model, corsOrigin: cors, token, recheckSeconds: 2 };
}

async function readKeys(place: string): Promise<unknown> {
  return /^https?:/.test(place) ? fetchTokenKeys(place) : JSON.parse(readFileSync(place, 'utf8'));
}
