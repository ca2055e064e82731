/** `selflabel serve`: its options. What it works with is loaded only when it is called, since other commands need none of it. */
import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError } from 'commander';
import { takeAhead } from './ahead.ts';
import { integer } from './options.ts';

export interface ServeCommand {
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
    .action(async (place: string, options: ServeCommand) => {
      const { OnnxRuntime } = await import('#adapters/onnxruntime/onnx-runtime');
      const models = new OnnxRuntime();
      const ahead = takeAhead();
      models.start(ahead?.session);
      const tuning = { threads: options.threads ?? availableParallelism(), promptly: true };
      try {
        const { serveModel } = await import('./serve-model.ts');
        await serveModel(place, options, { models, tuning, keepCompiled: ahead?.keepCompiled });
      } finally {
        await models.close();
      }
    });
}
