/** The segmentation API in a stack of its own: a function behind API Gateway, or the same program as a service behind a load balancer. */
import { Stack, type StackProps } from 'aws-cdk-lib';
import { Dashboard, GraphWidget, type IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import type { Role } from 'aws-cdk-lib/aws-iam';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { apiAccess } from './access.ts';
import { Alarms } from './alarms.ts';
import { ApiGateway } from './api-gateway.ts';
import { ApiService } from './api-service.ts';
import type { Environment } from './environment.ts';
import { names } from './names.ts';
import { allowKeys } from './permissions.ts';
import type { PipelineStack } from './pipeline-stack.ts';

export interface ApiStackProps extends StackProps {
  readonly environment: Environment;
  /** `dist` of this project. */
  readonly dist: string;
  readonly pipeline: PipelineStack;
  /** An image of the service that exists already. */
  readonly image?: string | undefined;
}

/** What either front shows to whoever watches it. */
export interface ApiFront {
  readonly role: Role;
  readonly requests: IMetric;
  readonly serverErrors: IMetric;
  readonly clientErrors: IMetric;
  /** Of the slowest hundredth, in milliseconds. */
  readonly slowest: IMetric;
}

export class ApiStack extends Stack {
  constructor(scope: Construct, id: string, { environment, dist, pipeline, image, ...props }: ApiStackProps) {
    super(scope, id, props);
    const alarms = new Alarms(this, 'Alarms', environment, 'api');
    // By its name: a reference between stacks would tie their updates together.
    const bucket = Bucket.fromBucketName(this, 'Bucket', names.bucket(environment));
    this.addStackDependency(pipeline);
    const { network, cluster } = pipeline;
    const front: ApiFront =
      environment.api.kind === 'lambda'
        ? new ApiGateway(this, 'Api', { environment, alarms, dist, bucket })
        : new ApiService(this, 'Api', { environment, dist, bucket, network, cluster, image });
    allowKeys(front.role, bucket, apiAccess);
    watch(alarms, front);
    addBoard(this, environment, front);
  }
}

function watch(alarms: Alarms, { serverErrors, slowest }: ApiFront): void {
  alarms.add({
    article: 'api-errors',
    says: 'The API answers with errors of its own (5xx).',
    metric: serverErrors,
    threshold: 5,
    periods: 2,
  });
  alarms.add({
    article: 'api-slow',
    says: 'One in a hundred answers of the API takes more than 10 seconds.',
    metric: slowest,
    threshold: 10_000,
    periods: 3,
  });
}

function addBoard(scope: Construct, environment: Environment, front: ApiFront): void {
  const board = new Dashboard(scope, 'Board', { dashboardName: names.resource(environment, 'api') });
  const graph = (title: string, left: IMetric[]) => new GraphWidget({ title, left, width: 8, height: 6 });
  board.addWidgets(
    graph('Requests', [front.requests]),
    graph('Errors', [front.serverErrors, front.clientErrors]),
    graph('Slowest hundredth, ms', [front.slowest]),
  );
}
