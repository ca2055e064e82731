/** The machines with GPUs behind the tasks: an Auto Scaling group on Spot with one On-Demand behind it, or ECS Managed Instances. */
import { dirname } from 'node:path';
import { Size, Stack } from 'aws-cdk-lib';
import {
  AutoScalingGroup,
  BlockDeviceVolume,
  EbsDeviceVolumeType,
  GroupMetrics,
  OnDemandAllocationStrategy,
  SpotAllocationStrategy,
} from 'aws-cdk-lib/aws-autoscaling';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import {
  AmiHardwareType,
  AsgCapacityProvider,
  CapacityOptionType,
  type Cluster,
  EcsOptimizedImage,
  ManagedInstancesCapacityProvider,
} from 'aws-cdk-lib/aws-ecs';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import { machineFile } from '#pipeline/settings';
import { acknowledge, acknowledgeWildcards } from './acknowledge.ts';
import type { Environment } from './environment.ts';
import { names } from './names.ts';
import type { Network } from './network.ts';

export interface GpuMachines {
  /** Where tasks go first. */
  readonly preferred: string;
  /** Where they go when there is no Spot capacity. */
  readonly fallback: string;
  /** What services must wait for. */
  readonly providers: readonly Construct[];
}

interface Site {
  readonly environment: Environment;
  readonly cluster: Cluster;
  readonly network: Network;
}

const diskGb = 100;

export function addGpuMachines(scope: Construct, site: Site): GpuMachines {
  return site.environment.compute === 'spot' ? spotGroups(scope, site) : managedInstances(scope, site);
}

/** A GPU for tasks on On-Demand machines is set aside from the cap. */
function spotGroups(scope: Construct, site: Site): GpuMachines {
  const { cluster, environment } = site;
  const template = launchTemplate(scope, site);
  const provider = (kind: 'Spot' | 'OnDemand', machines: number) => {
    const group = groupOf(scope, site, template, kind, machines);
    const provider = new AsgCapacityProvider(scope, `${kind}Provider`, {
      capacityProviderName: names.resource(environment, kind.toLowerCase()),
      autoScalingGroup: group,
      enableManagedScaling: true,
      enableManagedDraining: true,
      enableManagedTerminationProtection: false,
      targetCapacityPercent: 100,
    });
    cluster.addAsgCapacityProvider(provider);
    return provider;
  };
  const spot = provider('Spot', environment.maxGpus - onDemandGpus(environment));
  const onDemand = provider('OnDemand', onDemandGpus(environment));
  return {
    preferred: spot.capacityProviderName,
    fallback: onDemand.capacityProviderName,
    providers: [spot, onDemand],
  };
}

/** A quarter of the cap, at least one. */
const onDemandGpus = ({ maxGpus }: Environment) => Math.max(1, Math.floor(maxGpus / 4));

/** How many tasks of one kind may run on the preferred machines, and how many on the fallback. */
export function taskLimits(environment: Environment, tasks: number): { preferred: number; fallback: number } {
  const { compute, maxGpus } = environment;
  if (compute === 'spot')
    return { preferred: maxGpus - onDemandGpus(environment), fallback: onDemandGpus(environment) };
  // Managed Instances know no cap of their own: the services share it.
  const share = Math.floor(maxGpus / (2 * tasks));
  if (share < 1) throw new Error(`managed-instances needs maxGpus of at least ${2 * tasks}: one for each service`);
  return { preferred: share, fallback: share };
}

function groupOf(
  scope: Construct,
  { network, environment }: Site,
  launchTemplate: ec2.LaunchTemplate,
  kind: 'Spot' | 'OnDemand',
  maxCapacity: number,
): AutoScalingGroup {
  const group = new AutoScalingGroup(scope, `${kind}Machines`, {
    vpc: network.vpc,
    vpcSubnets: network.subnets,
    minCapacity: 0,
    maxCapacity,
    capacityRebalance: kind === 'Spot',
    newInstancesProtectedFromScaleIn: false,
    groupMetrics: [GroupMetrics.all()],
    mixedInstancesPolicy: {
      launchTemplate,
      launchTemplateOverrides: environment.gpuInstances.map(type => ({ instanceType: new ec2.InstanceType(type) })),
      instancesDistribution: {
        onDemandBaseCapacity: 0,
        onDemandPercentageAboveBaseCapacity: kind === 'Spot' ? 0 : 100,
        onDemandAllocationStrategy: OnDemandAllocationStrategy.PRIORITIZED,
        spotAllocationStrategy: SpotAllocationStrategy.PRICE_CAPACITY_OPTIMIZED,
      },
    },
  });
  acknowledge(
    group,
    'AwsSolutions-AS3',
    'ECS starts and stops these machines with every job; alarms watch the queues instead.',
  );
  acknowledge(
    group,
    'AwsSolutions-EC26',
    'The rule cannot read a mixed-instances policy; the launch template encrypts its disk.',
  );
  return group;
}

/** Tasks get no answer from the machine's own service, so it writes down for them what it is: receipts name dollars by it. */
const metadata = 'http://169.254.169.254/latest';
const tellMachine = [
  `TOKEN=$(curl -s -X PUT ${metadata}/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 60')`,
  `machine() { curl -s -H "X-aws-ec2-metadata-token: $TOKEN" ${metadata}/meta-data/$1; }`,
  `mkdir -p ${dirname(machineFile)}`,
  `echo "$(machine instance-type) $(machine instance-life-cycle)" > ${machineFile}`,
];

function launchTemplate(scope: Construct, { network, environment, cluster }: Site): ec2.LaunchTemplate {
  const role = new Role(scope, 'MachineRole', { assumedBy: new ServicePrincipal('ec2.amazonaws.com') });
  for (const finding of ['Action::ecs:Submit*', 'Resource::*']) {
    const reason =
      'CDK writes what the ECS agent needs; tasks cannot reach the role, since answers to them travel one hop only.';
    acknowledge(role, `AwsSolutions-IAM5[${finding}]`, reason);
  }
  const userData = ec2.UserData.forLinux();
  userData.addCommands(
    `echo ECS_CLUSTER=${cluster.clusterName} >> /etc/ecs/ecs.config`,
    // CDK leaves this out where a policy mixes instances, and tasks would die without the two minutes' notice.
    'echo ECS_ENABLE_SPOT_INSTANCE_DRAINING=true >> /etc/ecs/ecs.config',
    'echo ECS_CONTAINER_STOP_TIMEOUT=115s >> /etc/ecs/ecs.config',
    'echo ECS_IMAGE_PULL_BEHAVIOR=prefer-cached >> /etc/ecs/ecs.config',
    ...tellMachine,
  );
  return new ec2.LaunchTemplate(scope, 'MachineTemplate', {
    machineImage: EcsOptimizedImage.amazonLinux2023(AmiHardwareType.GPU),
    instanceType: new ec2.InstanceType(environment.gpuInstances[0]!),
    role,
    userData,
    securityGroup: network.securityGroup,
    associatePublicIpAddress: environment.network === 'public',
    requireImdsv2: true,
    // Containers sit one hop behind the machine: they get no answer, so no credentials of the machine.
    httpPutResponseHopLimit: 1,
    blockDevices: [
      {
        deviceName: '/dev/xvda',
        volume: BlockDeviceVolume.ebs(diskGb, { encrypted: true, volumeType: EbsDeviceVolumeType.GP3 }) as never,
      },
    ],
  });
}

function managedInstances(scope: Construct, { cluster, network, environment }: Site): GpuMachines {
  const provider = (kind: 'Spot' | 'OnDemand') => {
    const provider = new ManagedInstancesCapacityProvider(scope, `${kind}Managed`, {
      capacityProviderName: names.resource(environment, `managed-${kind.toLowerCase()}`),
      subnets: network.vpc.selectSubnets(network.subnets).subnets,
      securityGroups: [network.securityGroup],
      capacityOptionType: kind === 'Spot' ? CapacityOptionType.SPOT : CapacityOptionType.ON_DEMAND,
      taskVolumeStorage: Size.gibibytes(diskGb),
      instanceRequirements: {
        vCpuCountMin: 4,
        memoryMin: Size.gibibytes(16),
        acceleratorCountMin: 1,
        acceleratorCountMax: 1,
        allowedInstanceTypes: environment.gpuInstances,
      },
    });
    cluster.addManagedInstancesCapacityProvider(provider);
    acknowledgeManaged(provider);
    return provider;
  };
  const spot = provider('Spot');
  const onDemand = provider('OnDemand');
  return {
    preferred: spot.capacityProviderName,
    fallback: onDemand.capacityProviderName,
    providers: [spot, onDemand],
  };
}

/** CDK writes the roles of these providers; what they hold comes from AWS. */
function acknowledgeManaged(provider: ManagedInstancesCapacityProvider): void {
  const reason = 'ECS starts and ends these machines with the role that AWS keeps for it; tasks do not have it.';
  const policy = 'arn:<AWS::Partition>:iam::aws:policy/AmazonECSInfrastructureRolePolicyForManagedInstances';
  acknowledge(provider, `AwsSolutions-IAM4[Policy::${policy}]`, reason);
  const machines = Stack.of(provider).formatArn({ service: 'ecs', resource: 'container-instance', resourceName: '*' });
  acknowledgeWildcards(provider, ['*', machines], reason);
}
