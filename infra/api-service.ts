/** The API as a service: `selflabel serve s3://…` in containers behind a load balancer, for steady load and large models. */
import { join } from 'node:path';
import { Duration } from 'aws-cdk-lib';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import * as balancing from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { acknowledge, acknowledgeWildcards } from './acknowledge.ts';
import { addFirewall } from './api-firewall.ts';
import type { ApiFront } from './api-stack.ts';
import type { Environment } from './environment.ts';
import { logGroup } from './log-group.ts';
import { names } from './names.ts';
import type { Network } from './network.ts';
import { taskImage } from './task-image.ts';

export interface ApiServiceProps {
  readonly environment: Environment;
  readonly dist: string;
  readonly bucket: IBucket;
  readonly network: Network;
  readonly cluster: ecs.Cluster;
  readonly image: string | undefined;
}

const port = 8080;
const period = Duration.minutes(5);

export class ApiService extends Construct implements ApiFront {
  readonly role: Role;
  readonly requests: IMetric;
  readonly serverErrors: IMetric;
  readonly clientErrors: IMetric;
  readonly slowest: IMetric;

  constructor(scope: Construct, id: string, props: ApiServiceProps) {
    super(scope, id);
    const { environment, network, cluster } = props;
    this.role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com') });
    const service = new ecs.FargateService(this, 'Service', {
      cluster,
      serviceName: names.resource(environment, 'api'),
      taskDefinition: this.#definition(props),
      desiredCount: Math.max(1, environment.api.warm),
      vpcSubnets: network.subnets,
      assignPublicIp: environment.network === 'public',
      circuitBreaker: { enable: true, rollback: true },
      propagateTags: ecs.PropagatedTagSource.SERVICE,
    });
    service
      .autoScaleTaskCount({ minCapacity: Math.max(1, environment.api.warm), maxCapacity: 8 })
      .scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: 60 });
    const balancer = this.#balancer(props, service);
    if (environment.api.waf) addFirewall(this, environment, balancer.loadBalancerArn);
    const { HttpCodeTarget } = balancing;
    this.requests = balancer.metrics.requestCount({ period });
    this.serverErrors = balancer.metrics.httpCodeTarget(HttpCodeTarget.TARGET_5XX_COUNT, { period });
    this.clientErrors = balancer.metrics.httpCodeTarget(HttpCodeTarget.TARGET_4XX_COUNT, { period });
    this.slowest = balancer.metrics.targetResponseTime({ period, statistic: 'p99' });
  }

  #definition({ environment, bucket, dist, image }: ApiServiceProps): ecs.FargateTaskDefinition {
    const { auth } = environment.api;
    const logs = logGroup(this, 'Logs', environment, 'service/api');
    const executionRole = new Role(this, 'ExecutionRole', {
      assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com'),
    });
    logs.grantWrite(executionRole);
    acknowledgeWildcards(executionRole, ['*'], 'ecr:GetAuthorizationToken knows no resources.');
    const definition = new ecs.FargateTaskDefinition(this, 'Task', {
      ...{ cpu: 2048, memoryLimitMiB: 4096, taskRole: this.role, executionRole },
    });
    const tokens =
      auth.kind === 'jwt'
        ? ['--jwt-issuer', auth.issuer, '--jwt-audience', auth.audience, '--jwt-keys', auth.keys]
        : [];
    definition.addContainer('api', {
      image: image ? taskImage(this, image, dist) : serviceImage(dist),
      command: [`s3://${bucket.bucketName}`, '--host', '0.0.0.0', '--port', String(port), ...tokens, ...scopeOf(auth)],
      portMappings: [{ containerPort: port }],
      linuxParameters: new ecs.LinuxParameters(this, 'Linux', { initProcessEnabled: true }),
      stopTimeout: Duration.seconds(30),
      logging: ecs.LogDrivers.awsLogs({ streamPrefix: 'api', logGroup: logs }),
    });
    return definition;
  }

  #balancer({ environment, network }: ApiServiceProps, service: ecs.FargateService): balancing.ApplicationLoadBalancer {
    const open = environment.network !== 'isolated';
    const balancer = new balancing.ApplicationLoadBalancer(this, 'Balancer', {
      vpc: network.vpc,
      internetFacing: open,
      ...(!open && { vpcSubnets: network.subnets }),
      dropInvalidHeaderFields: true,
    });
    acknowledge(
      balancer,
      'AwsSolutions-ELB2',
      'The program logs every request with its id; logs of the balancer need a bucket per region.',
    );
    acknowledge(
      balancer,
      'AwsSolutions-EC23',
      'The API is for callers anywhere; every request carries a token that the program checks.',
    );
    const listener = balancer.addListener('Https', {
      port: 443,
      protocol: balancing.ApplicationProtocol.HTTPS,
      sslPolicy: balancing.SslPolicy.RECOMMENDED_TLS,
      certificates: [Certificate.fromCertificateArn(this, 'Certificate', environment.api.certificateArn!)],
    });
    listener.addTargets('Service', {
      port,
      protocol: balancing.ApplicationProtocol.HTTP,
      targets: [service],
      // A service without a model yet is well and says so; only what hangs is replaced.
      healthCheck: { path: '/healthz', healthyHttpCodes: '200' },
      deregistrationDelay: Duration.seconds(30),
    });
    return balancer;
  }
}

const scopeOf = (auth: Environment['api']['auth']): string[] =>
  auth.kind === 'jwt' && auth.scope ? ['--jwt-scope', auth.scope] : [];

/** Built from this project when deploying: the command line and the packages it needs. */
const serviceImage = (dist: string): ecs.ContainerImage =>
  ecs.ContainerImage.fromAsset(join(dist, '..'), {
    file: 'infra/service.Dockerfile',
    platform: Platform.LINUX_AMD64,
    exclude: [
      ...['*', '!package.json', '!package-lock.json', '!.npmrc', '!dist', 'dist/*', '!dist/*.mjs', '!dist/serve'],
      ...['!infra', 'infra/*', '!infra/service.Dockerfile'],
    ],
  });
