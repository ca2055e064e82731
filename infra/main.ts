/** What `cdk` runs: `-c env=dev`, and if wanted `-c account=… -c region=… -c email=… -c image=… -c api-image=…`. */
import { fileURLToPath } from 'node:url';
import { App } from 'aws-cdk-lib';
import { addStacks, check } from './app.ts';
import { type Environment, environmentOf } from './environment.ts';

// One app: a second would write over what the first has made.
const app = new App();
check(app);

const said = (key: string): string | undefined => {
  const value: unknown = app.node.tryGetContext(key);
  return value === undefined ? undefined : String(value);
};

/** What is wrong with it is said in one line: whoever deploys wrote it. */
function readEnvironment(): Environment {
  try {
    return environmentOf(said('env') ?? '', {
      account: said('account'),
      region: said('region'),
      email: said('email'),
    });
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(1);
  }
}

const environment = readEnvironment();
addStacks(app, {
  environment,
  dist: fileURLToPath(new URL('../dist', import.meta.url)),
  image: said('image'),
  apiImage: said('api-image'),
});
