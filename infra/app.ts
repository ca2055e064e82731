/** The app: one environment's stacks, checked while they are made. */
import { type App, Tags, Validations } from 'aws-cdk-lib';
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
  /** The same of the API, where it is a service. */
  readonly apiImage?: string | undefined;
}

/** Adds one environment's stacks; `check` them first, so that every finding is an error. */
export function addStacks(app: App, { environment, dist, image, apiImage }: Parts) {
  const { account, region, name } = environment;
  const common = { env: { account, region }, terminationProtection: name === 'prod' };
  const pipeline = new PipelineStack(app, names.pipelineStack(environment), { ...common, environment, dist, image });
  const api = new ApiStack(app, names.apiStack(environment), {
    ...common,
    environment,
    dist,
    pipeline,
    image: apiImage,
  });
  // The budget counts what carries this tag.
  for (const stack of [pipeline, api]) Tags.of(stack).add('selflabel', name);
  return { pipeline, api };
}

export const check = (app: App): void => Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
