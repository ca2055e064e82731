/** The pipeline: buckets, queues, functions, tasks with GPUs, and who watches them. */
import { join } from 'node:path';
import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import { CfnBudget } from 'aws-cdk-lib/aws-budgets';
import { Cluster, ContainerInsights } from 'aws-cdk-lib/aws-ecs';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { queueNames, settingNames } from '#pipeline/settings';
import { acknowledge } from './acknowledge.ts';
import { Alarms } from './alarms.ts';
import { addBoard } from './board.ts';
import { Buckets } from './buckets.ts';
import type { Environment } from './environment.ts';
import { addGpuMachines } from './gpu-machines.ts';
import { GpuTasks } from './gpu-tasks.ts';
import { names } from './names.ts';
import { Network } from './network.ts';
import { PipelineFunctions } from './pipeline-functions.ts';
import { Queues } from './queues.ts';
import { taskImage } from './task-image.ts';
import { addTriggers } from './triggers.ts';

export interface PipelineStackProps extends StackProps {
  readonly environment: Environment;
  /** `dist` of this project, built by `node build.mjs`. */
  readonly dist: string;
  /** An image of the tasks that exists already. */
  readonly image?: string | undefined;
}

export class PipelineStack extends Stack {
  readonly bucket: Bucket;
  readonly network: Network;
  readonly cluster: Cluster;

  constructor(scope: Construct, id: string, { environment, dist, image, ...props }: PipelineStackProps) {
    super(scope, id, props);
    const alarms = new Alarms(this, 'Alarms', environment, 'pipeline');
    const buckets = new Buckets(this, 'Buckets', environment);
    this.bucket = buckets.data;
    const queues = new Queues(this, 'Queues', environment);
    addTriggers(this, this.bucket, names.bucket(environment), queues);
    this.network = new Network(this, 'Network', environment);
    this.cluster = this.#cluster(environment);
    const settings = {
      [settingNames.bucket]: this.bucket.bucketName,
      [settingNames.environment]: environment.name,
      ...queues.settings,
    };
    const common = { environment, bucket: this.bucket, queues };
    new PipelineFunctions(this, 'Functions', {
      ...common,
      alarms,
      dist,
      masks: buckets.masks,
      settings: { ...settings, [settingNames.device]: 'cuda' },
    });
    const machines = addGpuMachines(this, { environment, cluster: this.cluster, network: this.network });
    new GpuTasks(this, 'Tasks', {
      ...{ ...common, settings, machines, cluster: this.cluster, network: this.network },
      image: taskImage(this, image, join(dist, 'gpu-task')),
    });
    for (const queue of queueNames) alarms.watchQueue(queue);
    alarms.watchMeasurements();
    addBoard(this, environment, alarms);
    addBudget(this, environment, alarms);
    this.#say(environment, buckets);
  }

  #cluster(environment: Environment): Cluster {
    const cluster = new Cluster(this, 'Cluster', {
      clusterName: names.resource(environment, 'tasks'),
      vpc: this.network.vpc,
      containerInsightsV2: ContainerInsights.DISABLED,
    });
    acknowledge(
      cluster,
      'AwsSolutions-ECS4',
      'Programs print their own metrics; insights would cost more than idle machines do.',
    );
    return cluster;
  }

  /** What people need to know to use it. */
  #say(environment: Environment, { data, masks }: Buckets): void {
    new CfnOutput(this, 'Bucket', { value: data.bucketName, description: 'For selflabel push and submit' });
    new CfnOutput(this, 'MasksBucket', { value: masks.bucketName, description: 'Masks of benchmarks' });
    new CfnOutput(this, 'QueueNames', {
      value: names.resource(environment, '(queue)'),
      description: 'How queues are named',
    });
  }
}

/** Writes at four fifths of the month's money, and when the month will need all of it. */
function addBudget(scope: Construct, environment: Environment, alarms: Alarms): void {
  const subscribers = [{ subscriptionType: 'SNS', address: alarms.topic.topicArn }];
  const notify = (notificationType: string, threshold: number) => ({
    notification: { comparisonOperator: 'GREATER_THAN', notificationType, threshold, thresholdType: 'PERCENTAGE' },
    subscribers,
  });
  new CfnBudget(scope, 'Budget', {
    budget: {
      budgetName: names.resource(environment, 'monthly'),
      budgetType: 'COST',
      timeUnit: 'MONTHLY',
      budgetLimit: { amount: environment.monthlyBudget, unit: 'USD' },
      costFilters: { TagKeyValue: [`user:selflabel$${environment.name}`] },
    },
    notificationsWithSubscribers: [notify('ACTUAL', 80), notify('FORECASTED', 100)],
  });
}
