/** Names of what is built: the same in every account, so that people and commands can find things without looking them up. */
import { Aws } from 'aws-cdk-lib';
import type { QueueName } from '#pipeline/settings';
import type { Environment } from './environment.ts';

const prefix = ({ name }: Pick<Environment, 'name'>) => `selflabel-${name}`;

export const names = {
  pipelineStack: (environment: Environment) => `${prefix(environment)}-pipeline`,
  apiStack: (environment: Environment) => `${prefix(environment)}-api`,
  /** Bucket names are shared by everybody on AWS: account and region make them ours. */
  bucket: (environment: Environment, what?: string) =>
    [prefix(environment), what, Aws.ACCOUNT_ID, Aws.REGION].filter(part => part !== undefined).join('-'),
  queue: (environment: Environment, queue: QueueName) => `${prefix(environment)}-${queue}`,
  deadLetters: (environment: Environment, queue: QueueName) => `${prefix(environment)}-${queue}-dead`,
  resource: (environment: Environment, what: string) => `${prefix(environment)}-${what}`,
} as const;
