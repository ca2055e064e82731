/** Door: HTTP events in, the segmentation API's answers out. */
import { type HttpEvent, type HttpResult, requestOfEvent, resultOfAnswer } from '#adapters/aws/lambda-http';
import { PresignedLinks } from '#adapters/aws/presigned-link';
import { S3Store } from '#adapters/aws/s3-store';
import { PublicFetch } from '#adapters/http/public-fetch';
import { fetchTokenKeys } from '#adapters/http/token-keys';
import { nodeDigest } from '#adapters/local/node-digest';
import { systemClock } from '#adapters/local/system-clock';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { PixelThreads } from '#adapters/threads/pixel-threads';
import { readApiSettings } from '#pipeline/api-settings';
import { lambdaLimits } from '#pipeline/serve/api-ports';
import { serveApp } from '#pipeline/serve/app';
import { publishedModels } from '#pipeline/serve/model-source';
import { warmingUp } from '#pipeline/serve/warm-up';

const { bucket, imageBuckets, urlHosts, token, threads, ...options } = readApiSettings(process.env);
const store = new S3Store({ bucket });
const buckets = new Map([bucket, ...imageBuckets].map(name => [name, new S3Store({ bucket: name })]));
const links = new PresignedLinks({ bucket });
const addresses = new PublicFetch({ hosts: urlHosts });
const images = new SharpCodec();
const print = (line: object) => console.log(JSON.stringify({ function: 'api', ...line }));
const app = serveApp(
  {
    ...{ store, source: publishedModels(store), images },
    models: warmingUp(new OnnxRuntime(), images),
    pixels: new PixelThreads(threads),
    ...{
      digest: nodeDigest,
      clock: systemClock,
      tuning: { threads, promptly: true },
      newId: () => crypto.randomUUID(),
    },
    link: (key, seconds) => links.link(key, seconds),
    imageBucket: name => buckets.get(name),
    fetchUrl: (url, limit) => addresses.fetch(url, limit),
    ...(token && { tokenKeys: () => fetchTokenKeys(token.keys) }),
    log: print,
    note: text => print({ note: text }),
  },
  { ...options, token, limits: lambdaLimits },
);

// Instances that are kept warm have their model before the first request; without a model every request says so.
await app.prepare().catch(() => undefined);

export const handler = async (event: HttpEvent): Promise<HttpResult> =>
  resultOfAnswer(await app.answer(requestOfEvent(event)));
