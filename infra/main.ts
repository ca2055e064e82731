/** What `cdk` runs: `-c env=dev`, and if wanted `-c account=… -c region=… -c email=… -c image=…`. */
import { fileURLToPath } from 'node:url';
import { App } from 'aws-cdk-lib';
import { buildApp } from './app.ts';
import { environmentOf } from './environment.ts';

const context = new App().node;
const said = (key: string): string | undefined => {
  const value: unknown = context.tryGetContext(key);
  return value === undefined ? undefined : String(value);
};

const environment = environmentOf(said('env') ?? '', {
  account: said('account'),
  region: said('region'),
  email: said('email'),
});
buildApp({ environment, dist: fileURLToPath(new URL('../dist', import.meta.url)), image: said('image') }).app.synth();
