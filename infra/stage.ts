/** `npx tsx infra/stage.ts`: what `node build.mjs` leaves to be put together for the cloud. `cdk` runs both before every synth. */
import { fileURLToPath } from 'node:url';
import { stageApi } from './api-bundle.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
stageApi(root, `${root}dist/api`);
