/** What `cdk` runs: `-c env=dev`, and if wanted `-c account=… -c region=… -c email=… -c image=… -c api-image=…`. */
import { fileURLToPath } from 'node:url';
import { App } from 'aws-cdk-lib';
import { addStacks, check } from './app.ts';
import { environmentOf } from './environment.ts';

// One app: a second would write over what the first has made.
const app = new App();
check(app);

const said = (key: string): string | undefined => {
  const value: unknown = app.node.tryGetContext(key);
  return value === undefined ? undefined : String(value);
};

const environment = environmentOf(said('env') ?? '', {
  account: said('account'),
  region: said('region'),
  email: said('email'),
});
addStacks(app, {
  environment,
  dist: fileURLToPath(new URL('../dist', import.meta.url)),
  image: said('image'),
  apiImage: said('api-image'),
});
