/** What `cdk deploy` has left on the server, asked in the protocols of services that the program has no clients for. */
import { GetQueueUrlCommand, SQSClient } from '@aws-sdk/client-sqs';
import { functionNames, type QueueName, queueNames, settingNames } from '#pipeline/settings';
import { clientAt, endpoint, type QueuePair } from './cloud.ts';
import type { Place } from './whole-cloud.ts';

/** The server knows by the signature's scope whom a request is for. */
const scope = (service: string) =>
  `AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=0`;

async function ask<T>(service: string, path: string, request: RequestInit = {}): Promise<T> {
  const headers = { 'content-type': 'application/json', ...request.headers, authorization: scope(service) };
  const response = await fetch(endpoint() + path, { ...request, headers });
  if (!response.ok) throw new Error(`${service} ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

type Variables = Readonly<Record<string, string>>;

/** What connects a queue with a function. */
export interface EventSource {
  readonly UUID: string;
  readonly EventSourceArn: string;
  readonly FunctionArn: string;
  readonly BatchSize: number;
  readonly State: string;
}

/** Whether the server runs functions in Docker. Without, it makes them, but tells nobody of them. */
export const useDocker = (use_docker: boolean): Promise<unknown> =>
  ask('moto', '/moto-api/config', { method: 'POST', body: JSON.stringify({ lambda: { use_docker } }) });

const mappings = '/2015-03-31/event-source-mappings/';

export const eventSources = async (): Promise<EventSource[]> =>
  (await ask<{ EventSourceMappings: EventSource[] }>('lambda', mappings)).EventSourceMappings;

export const switchOff = ({ UUID }: EventSource): Promise<EventSource> =>
  ask('lambda', mappings + UUID, { method: 'PUT', body: JSON.stringify({ Enabled: false }) });

/** What all deployed functions are told, which must not contradict each other. */
async function functionVariables(environment: string): Promise<Variables> {
  const told: Record<string, string> = {};
  for (const name of functionNames) {
    const path = `/2015-03-31/functions/selflabel-${environment}-${name}`;
    const { Configuration } = await ask<{ Configuration: { Environment: { Variables: Variables } } }>('lambda', path);
    for (const [key, value] of Object.entries(Configuration.Environment.Variables)) {
      if ((told[key] ?? value) !== value) throw new Error(`${name} is told another ${key} than the others`);
      told[key] = value;
    }
  }
  return told;
}

const ecs = <T>(action: string, body: object): Promise<T> =>
  ask('ecs', '/', {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `AmazonEC2ContainerServiceV20141113.${action}`,
    },
    body: JSON.stringify(body),
  });

interface Definition {
  readonly taskDefinition: {
    readonly containerDefinitions: readonly { environment: readonly { name: string; value: string }[] }[];
  };
}

/** What each deployed task is told, by its name. */
async function taskVariables(): Promise<Map<string, Variables>> {
  const { taskDefinitionArns } = await ecs<{ taskDefinitionArns: string[] }>('ListTaskDefinitions', {});
  const all = await Promise.all(
    taskDefinitionArns.map(taskDefinition => ecs<Definition>('DescribeTaskDefinition', { taskDefinition })),
  );
  const told = all.map(({ taskDefinition: { containerDefinitions } }) =>
    Object.fromEntries(containerDefinitions[0]!.environment.map(({ name, value }) => [name, value])),
  );
  return new Map(told.map(variables => [variables[settingNames.task]!, variables]));
}

/** The deployed environment, told as the templates say, but for the address of SQS and the device: there is no GPU here. */
export async function deployedPlace(environment: string, bucket: string): Promise<Place> {
  const sqs = new SQSClient(clientAt(endpoint()));
  const addressOf = async (queue: string) =>
    (await sqs.send(new GetQueueUrlCommand({ QueueName: `selflabel-${environment}-${queue}` }))).QueueUrl!;
  const pairs = queueNames.map(
    async name => [name, { url: await addressOf(name), deadLetters: await addressOf(`${name}-dead`) }] as const,
  );
  const queues = Object.fromEntries(await Promise.all(pairs)) as Record<QueueName, QueuePair>;
  const told = (await taskVariables()).set('functions', await functionVariables(environment));
  const here = ([key, value]: [string, string]) => [
    key,
    value.replaceAll('https://sqs.us-east-1.amazonaws.com', endpoint()),
  ];
  const variables = (name: string) => ({
    ...(Object.fromEntries(Object.entries(told.get(name)!).map(here)) as Variables),
    [settingNames.device]: 'cpu',
    [settingNames.threads]: '2',
  });
  return { bucket, queues, variables };
}
