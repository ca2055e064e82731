/** The network of the tasks: nothing is let in; the way out is `isolated`, `nat` or `public`. Functions need none. */
import {
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpointAwsService,
  IpAddresses,
  Port,
  SecurityGroup,
  type SubnetSelection,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import { acknowledge } from './acknowledge.ts';
import type { Environment } from './environment.ts';

const subnetTypes = {
  isolated: SubnetType.PRIVATE_ISOLATED,
  nat: SubnetType.PRIVATE_WITH_EGRESS,
  public: SubnetType.PUBLIC,
} as const;

export class Network extends Construct {
  readonly vpc: Vpc;
  readonly subnets: SubnetSelection;
  /** Nothing in, everything out. */
  readonly securityGroup: SecurityGroup;

  constructor(scope: Construct, id: string, { network }: Environment) {
    super(scope, id);
    const subnetType = subnetTypes[network];
    const tasks = { name: 'tasks', subnetType, cidrMask: 20 };
    const gateways = { name: 'gateways', subnetType: SubnetType.PUBLIC, cidrMask: 24 };
    this.vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr('10.0.0.0/16'),
      // Two, as many as can be had without looking the account up.
      maxAzs: 2,
      natGateways: network === 'nat' ? 1 : 0,
      subnetConfiguration: network === 'nat' ? [tasks, gateways] : [tasks],
      restrictDefaultSecurityGroup: false,
      // Without the gateway endpoint every image would pay its way.
      gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 } },
    });
    acknowledge(
      this.vpc,
      'AwsSolutions-VPC7',
      'Nothing is let in and the only traffic is with AWS services, which keep logs of their own (S3 access logs).',
    );
    this.subnets = { subnetType };
    this.securityGroup = new SecurityGroup(this, 'Tasks', { vpc: this.vpc, description: 'Tasks: nothing in' });
    if (network === 'isolated') this.#addEndpoints();
  }

  #addEndpoints(): void {
    const group = new SecurityGroup(this, 'Endpoints', { vpc: this.vpc, description: 'Endpoints: HTTPS from tasks' });
    const services = {
      sqs: InterfaceVpcEndpointAwsService.SQS,
      'ecr-api': InterfaceVpcEndpointAwsService.ECR,
      'ecr-docker': InterfaceVpcEndpointAwsService.ECR_DOCKER,
      logs: InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
      ecs: InterfaceVpcEndpointAwsService.ECS,
      'ecs-agent': InterfaceVpcEndpointAwsService.ECS_AGENT,
      'ecs-telemetry': InterfaceVpcEndpointAwsService.ECS_TELEMETRY,
    };
    for (const [name, service] of Object.entries(services)) {
      // Open to the tasks' group alone, not to the whole network.
      this.vpc.addInterfaceEndpoint(name, { service, securityGroups: [group], open: false, subnets: this.subnets });
    }
    group.addIngressRule(this.securityGroup, Port.HTTPS, 'HTTPS from tasks');
  }
}
