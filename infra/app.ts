/** The app: one environment's stacks, checked while they are made. */
import { App, type AppProps, Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { ApiStack } from './api-stack.ts';
import type { Environment } from './environment.ts';
import { names } from './names.ts';
import { PipelineStack } from './pipeline-stack.ts';

export interface Parts {
  readonly environment: Environment;
  /** `dist` of this project, built by `node build.mjs`. */
  readonly dist: string;
  /** An image of the tasks that exists already; otherwise one is built when deploying. */
  readonly image?: string | undefined;
}

/** One environment's app, with every check an error. */
export function buildApp(parts: Parts, props?: AppProps) {
  const app = new App(props);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  return { app, ...addStacks(app, parts) };
}

export function addStacks(app: App, { environment, dist, image }: Parts) {
  const { account, region, name } = environment;
  const common = { env: { account, region }, terminationProtection: name === 'prod' };
  const pipeline = new PipelineStack(app, names.pipelineStack(environment), { ...common, environment, dist, image });
  const api = new ApiStack(app, names.apiStack(environment), { ...common, environment, dist, pipeline });
  // The budget counts what carries this tag.
  for (const stack of [pipeline, api]) Tags.of(stack).add('selflabel', name);
  return { pipeline, api };
}
