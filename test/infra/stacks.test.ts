/** What the building consists of: templates of every environment, checked by AWS's rules and by ours. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, Stack, Validations } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { CfnQueue } from 'aws-cdk-lib/aws-sqs';
import { AwsSolutionsChecks } from 'cdk-nag';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { routes } from '#core/api/openapi';
import { stages } from '#core/job/stage';
import { functionNames, functions, queueNames, taskNames, taskStopSeconds, triggers } from '#pipeline/settings';
import { articles } from '../../infra/alarms.ts';
import { addStacks } from '../../infra/app.ts';
import { checkEnvironment, type Environment, environmentNames, environmentOf } from '../../infra/environment.ts';
import { dev } from '../../infra/environments/dev.ts';
import { nothing } from '../../infra/permissions.ts';
import { cdkJson, dist, root } from './built.ts';
import { covers, grantsOf, matches } from './permissions.ts';
import { type Actor, actors, recordJobs } from './recorded-jobs.ts';
import type { Note } from './recording-store.ts';

vi.setConfig({ hookTimeout: 300_000, testTimeout: 120_000 });

const account = '123456789012';
const image = `${account}.dkr.ecr.eu-west-1.amazonaws.com/selflabel:1`;
/** Every switch the other way than in the files. */
const turned = {
  ...dev,
  ...{ account: '210987654321', region: 'eu-west-1', email: 'people@example.org' },
  ...{ compute: 'managed-instances', maxGpus: 24 },
  api: {
    ...dev.api,
    ...{ kind: 'service', waf: true, certificateArn: `arn:aws:acm:eu-west-1:${account}:certificate/1` },
    auth: { kind: 'jwt', issuer: 'https://i.example', audience: 'a', keys: 'https://i.example/keys', scope: 's' },
  },
};

/** One app of all, so that the rules are read once. */
const app = new App({ context: cdkJson.context });
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
const built = Object.fromEntries(
  environmentNames.map(name => {
    const environment = environmentOf(name, name === 'prod' ? { account } : {});
    return [name, addStacks(app, { environment, dist, image })];
  }),
);

/** With AWS Solutions alone: the schemas of CloudFormation take seconds. */
function withRules(environment: Environment) {
  const one = new App({ context: { ...cdkJson.context, '@aws-cdk/core:validateAgainstDefaultRules': false } });
  Validations.of(one).addPlugins(new AwsSolutionsChecks(one));
  return { app: one, ...addStacks(one, { environment, dist, image }) };
}

const templates: Record<string, { pipeline: Template; api: Template }> = {};
let recorded: ReadonlyMap<Actor, readonly Note[]>;

beforeAll(async () => {
  app.synth();
  for (const [name, { pipeline, api }] of Object.entries(built)) {
    templates[name] = { pipeline: Template.fromStack(pipeline), api: Template.fromStack(api) };
  }
  recorded = await recordJobs();
});

/** Hashes of what is built, and the environment's own name, masked. */
const masked = (template: Template, name: string): Record<string, unknown> =>
  JSON.parse(
    JSON.stringify(template.toJSON().Resources)
      .replace(/[0-9a-f]{64}/g, 'HASH')
      .replaceAll(`selflabel-${name}`, 'selflabel-ENV')
      .replaceAll(`/selflabel/${name}/`, '/selflabel/ENV/'),
  );

/** Resources of dev; of the others those that differ from dev's, null where there is none. */
function shown(name: string, part: 'pipeline' | 'api'): Record<string, unknown> {
  const own = masked(templates[name]![part], name);
  if (name === 'dev') return own;
  const known = masked(templates.dev![part], 'dev');
  const ids = [...new Set([...Object.keys(known), ...Object.keys(own)])].sort();
  const differ = ids.filter(id => JSON.stringify(own[id]) !== JSON.stringify(known[id]));
  return Object.fromEntries(differ.map(id => [id, own[id] ?? null]));
}

describe.each(environmentNames)('%s', name => {
  it('is built as before', async () => {
    for (const part of ['pipeline', 'api'] as const) {
      const text = `${JSON.stringify(shown(name, part), null, 1)}\n`;
      await expect(text).toMatchFileSnapshot(`../fixtures/templates/${name}-${part}.json`);
    }
  });

  it('keeps its buckets private, encrypted, and closed to plain HTTP', () => {
    const { pipeline } = templates[name]!;
    const buckets = pipeline.findResources('AWS::S3::Bucket');
    expect(Object.keys(buckets)).toHaveLength(3);
    for (const [id, { Properties }] of Object.entries(buckets)) {
      expect(Properties).toMatchObject({
        BucketEncryption: { ServerSideEncryptionConfiguration: [expect.anything()] },
        PublicAccessBlockConfiguration: {
          ...{ BlockPublicAcls: true, BlockPublicPolicy: true },
          ...{ IgnorePublicAcls: true, RestrictPublicBuckets: true },
        },
      });
      pipeline.hasResourceProperties('AWS::S3::BucketPolicy', {
        Bucket: { Ref: id },
        PolicyDocument: {
          Statement: Match.arrayWith([
            Match.objectLike({
              Effect: 'Deny',
              Action: 's3:*',
              Condition: { Bool: { 'aws:SecureTransport': 'false' } },
            }),
          ]),
        },
      });
    }
  });

  it('sends the events of every trigger to its queue', () => {
    const { pipeline } = templates[name]!;
    const buckets = Object.values(pipeline.findResources('AWS::S3::Bucket'));
    const configured = buckets.flatMap(
      ({ Properties }) => Properties.NotificationConfiguration?.QueueConfigurations ?? [],
    );
    expect(configured).toHaveLength(triggers.length);
    for (const { queue, prefix, suffix } of triggers) {
      const [id] = Object.keys(
        pipeline.findResources('AWS::SQS::Queue', { Properties: { QueueName: `selflabel-${name}-${queue}` } }),
      );
      const rules = [{ Name: 'prefix', Value: prefix }, ...(suffix ? [{ Name: 'suffix', Value: suffix }] : [])].map(
        rule => expect.objectContaining({ Value: rule.Value }),
      );
      expect(configured).toContainEqual(
        expect.objectContaining({ Queue: { 'Fn::GetAtt': [id, 'Arn'] }, Filter: { S3Key: { Rules: rules } } }),
      );
    }
  });

  it('gives every queue a dead-letter queue, and every message time', () => {
    const { pipeline } = templates[name]!;
    const queues = Object.values(pipeline.findResources('AWS::SQS::Queue')).map(({ Properties }) => Properties);
    expect(queues).toHaveLength(2 * queueNames.length);
    for (const queue of queueNames) {
      const own = queues.find(({ QueueName }) => QueueName === `selflabel-${name}-${queue}`)!;
      expect(own.RedrivePolicy.maxReceiveCount).toBe((taskNames as readonly string[]).includes(queue) ? 5 : 3);
      expect(own.SqsManagedSseEnabled).toBe(true);
      expect(queues.find(({ QueueName }) => QueueName === `selflabel-${name}-${queue}-dead`)).toMatchObject({
        MessageRetentionPeriod: 14 * 24 * 3600,
        RedriveAllowPolicy: { redrivePermission: 'byQueue' },
      });
    }
  });

  it('starts every function from its queue, and tells it what failed alone comes again', () => {
    const { pipeline } = templates[name]!;
    for (const fn of functionNames) {
      pipeline.hasResourceProperties('AWS::Lambda::Function', {
        ...{ FunctionName: `selflabel-${name}-${fn}`, Handler: `${fn}.handler`, Runtime: 'nodejs24.x' },
        ...{ Timeout: functions[fn].timeoutSeconds, MemorySize: functions[fn].memoryMb },
      });
    }
    pipeline.allResourcesProperties('AWS::Lambda::EventSourceMapping', {
      FunctionResponseTypes: ['ReportBatchItemFailures'],
    });
    pipeline.resourceCountIs('AWS::Lambda::EventSourceMapping', functionNames.length - 1);
  });

  it('starts every task from nothing and goes back to nothing, below the cap', () => {
    const { pipeline } = templates[name]!;
    const services = Object.values(pipeline.findResources('AWS::ECS::Service')).map(({ Properties }) => Properties);
    expect(services.map(({ ServiceName }) => ServiceName).sort()).toEqual(
      taskNames.flatMap(task => [`selflabel-${name}-${task}`, `selflabel-${name}-${task}-fallback`]).sort(),
    );
    for (const { DesiredCount, LaunchType } of services) expect([DesiredCount, LaunchType]).toEqual([0, undefined]);
    pipeline.allResourcesProperties('AWS::ApplicationAutoScaling::ScalableTarget', { MinCapacity: 0 });
    const policies = Object.values(pipeline.findResources('AWS::ApplicationAutoScaling::ScalingPolicy')).map(
      ({ Properties }) => Properties.StepScalingPolicyConfiguration,
    );
    expect(policies).toHaveLength(4 * taskNames.length);
    for (const { AdjustmentType } of policies) expect(AdjustmentType).toBe('ExactCapacity');
    const groups = Object.values(pipeline.findResources('AWS::AutoScaling::AutoScalingGroup'));
    const machines = groups.reduce((sum, { Properties }) => sum + Number(Properties.MaxSize), 0);
    expect(machines).toBe(environmentOf(name, { account }).maxGpus);
    for (const { Properties } of groups) expect(Properties.MinSize).toBe('0');
  });

  it('tells machines to hand Spot notices on, and tasks how long they have', () => {
    const { pipeline } = templates[name]!;
    expect(JSON.stringify(pipeline.findResources('AWS::EC2::LaunchTemplate'))).toContain(
      'ECS_ENABLE_SPOT_INSTANCE_DRAINING=true',
    );
    pipeline.allResourcesProperties('AWS::EC2::LaunchTemplate', {
      LaunchTemplateData: { MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1 } },
    });
    const definitions = Object.values(pipeline.findResources('AWS::ECS::TaskDefinition'));
    expect(definitions).toHaveLength(taskNames.length);
    for (const { Properties } of definitions) {
      expect(Properties.ContainerDefinitions[0]).toMatchObject({
        StopTimeout: taskStopSeconds,
        ResourceRequirements: [{ Type: 'GPU', Value: '1' }],
        LinuxParameters: { InitProcessEnabled: true, Capabilities: { Drop: ['ALL'] } },
      });
    }
  });

  it('has an article for every alarm that people hear', () => {
    const { pipeline, api } = templates[name]!;
    const alarms = [pipeline, api].flatMap(template => Object.values(template.findResources('AWS::CloudWatch::Alarm')));
    const heard = alarms.filter(({ Properties }) => JSON.stringify(Properties.AlarmActions).includes('Topic'));
    expect(heard.length).toBeGreaterThan(queueNames.length * 2);
    const page = readFileSync(join(root, 'docs/runbook.md'), 'utf8');
    for (const { Properties } of heard) {
      const [, article] = /docs\/runbook\.md#([a-z-]+)$/.exec(Properties.AlarmDescription)!;
      expect(articles).toContain(article);
      expect(page).toMatch(new RegExp(`^## ${article}$`, 'm'));
      expect(Properties.AlarmName).toMatch(new RegExp(`^selflabel-${name}-${article}`));
    }
  });

  it('lets nobody call the API unsigned, and nothing but its routes', () => {
    const { api } = templates[name]!;
    const methods = Object.values(api.findResources('AWS::ApiGateway::Method')).map(({ Properties }) => Properties);
    expect(methods).toHaveLength(routes.length);
    for (const { AuthorizationType, RequestValidatorId } of methods) {
      expect(AuthorizationType).toBe('AWS_IAM');
      expect(RequestValidatorId).toBeDefined();
    }
    api.resourceCountIs('AWS::ApiGateway::UsagePlan', 1);
    api.resourceCountIs('AWS::WAFv2::WebACL', environmentOf(name, { account }).api.waf ? 1 : 0);
    api.hasResourceProperties('AWS::Lambda::Function', { Architectures: ['x86_64'], Runtime: 'nodejs24.x' });
  });
});

describe('the rules', () => {
  it('have looked at everything; a finding would have ended the synthesis', () => {
    const counts = Object.values(templates).flatMap(({ pipeline, api }) =>
      [pipeline, api].map(template => Object.keys(template.toJSON().Resources).length),
    );
    expect(counts.reduce((sum, count) => sum + count)).toBeGreaterThan(900);
  });

  it('do find what is wrong', () => {
    const bad = new App({ context: cdkJson.context });
    Validations.of(bad).addPlugins(new AwsSolutionsChecks(bad));
    const stack = new Stack(bad, 'bad');
    new Bucket(stack, 'Open');
    new CfnQueue(stack, 'Queue', { visibilityTimeout: 99_999 });
    expect(() => bad.synth()).toThrow(/AwsSolutions-S10(.|\n)*VisibilityTimeout/);
  });
});

describe('permissions', () => {
  /** Logical id of an actor's role. */
  const roleOf = (template: Template, actor: Actor): string => {
    const isTask = (taskNames as readonly string[]).includes(actor);
    const [found] = Object.values(
      isTask
        ? template.findResources('AWS::ECS::TaskDefinition', {
            Properties: {
              ContainerDefinitions: [{ Environment: Match.arrayWith([{ Name: 'SELFLABEL_TASK', Value: actor }]) }],
            },
          } as never)
        : template.findResources('AWS::Lambda::Function', { Properties: { FunctionName: `selflabel-dev-${actor}` } }),
    );
    const role = isTask ? found!.Properties.TaskRoleArn : found!.Properties.Role;
    return role['Fn::GetAtt'][0] as string;
  };

  /** What lies there only with more images than a test can hold. */
  const onlyWithManyImages = ['jobs/*/plan/listing.json', 'jobs/*/plan/listed-*.json', 'jobs/*/receipt/*'];

  it.each(actors)('of %s cover every key it touches, and no others', actor => {
    const grants = grantsOf(templates.dev!.pipeline, roleOf(templates.dev!.pipeline, actor));
    const notes = recorded.get(actor) ?? [];
    expect(notes.length).toBeGreaterThan(0);
    expect(notes.filter(note => !grants.some(grant => covers(grant, note)))).toEqual([]);
    // Whoever writes a key may read it back: a repeated conditional write asks whose object stands.
    const used = (grant: (typeof grants)[number]) =>
      notes.some(
        note =>
          covers(grant, note) ||
          (grant.access === 'read' && note.access === 'write' && matches(grant.pattern, note.key)),
      );
    // A gate that is trained, which takes longer than a test may, has checkpoints of its own.
    const trained = (grant: (typeof grants)[number]) => actor === 'attend' && grant.access === 'delete';
    const idle = grants.filter(
      grant => grant.pattern !== nothing && !onlyWithManyImages.includes(grant.pattern) && !trained(grant),
    );
    expect(idle.filter(grant => !used(grant))).toEqual([]);
  });

  it('of every stage are those of a role of its own', () => {
    const roles = actors.map(actor => roleOf(templates.dev!.pipeline, actor));
    expect(new Set(roles).size).toBe(actors.length);
    expect(taskNames.length + functionNames.length).toBe(actors.length);
    expect(stages.every(stage => (actors as readonly string[]).includes(stage))).toBe(true);
  });
});

describe('switches', () => {
  it('turn machines, front, tokens and firewall', () => {
    const { app: other, pipeline, api } = withRules(checkEnvironment('dev', turned));
    other.synth();
    const machines = Template.fromStack(pipeline);
    machines.resourceCountIs('AWS::AutoScaling::AutoScalingGroup', 0);
    machines.resourceCountIs('AWS::ECS::CapacityProvider', 2);
    machines.hasResourceProperties('AWS::SNS::Subscription', { Protocol: 'email', Endpoint: 'people@example.org' });
    const front = Template.fromStack(api);
    front.resourceCountIs('AWS::ApiGateway::RestApi', 0);
    front.hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', { Port: 443, Protocol: 'HTTPS' });
    front.resourceCountIs('AWS::WAFv2::WebACLAssociation', 1);
    const [definition] = Object.values(front.findResources('AWS::ECS::TaskDefinition'));
    expect(JSON.stringify(definition!.Properties.ContainerDefinitions[0].Command)).toContain('--jwt-issuer');
  });
});
