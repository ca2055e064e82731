/** One service per row of `taskNames` that scales with its queue from nothing to the cap and back, and one on On-Demand behind it. */
import { dirname } from 'node:path';
import { Duration } from 'aws-cdk-lib';
import {
  AdjustmentType,
  ScalableTarget,
  ServiceNamespace,
  StepScalingAction,
} from 'aws-cdk-lib/aws-applicationautoscaling';
import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { ApplicationScalingAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as ecs from 'aws-cdk-lib/aws-ecs';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { machineFile, settingNames, type TaskName, taskNames, taskStopSeconds } from '#pipeline/settings';
import { taskAccess } from './access.ts';
import { acknowledge, acknowledgeWildcards } from './acknowledge.ts';
import type { Environment } from './environment.ts';
import { type GpuMachines, taskLimits } from './gpu-machines.ts';
import { logGroup } from './log-group.ts';
import { backlogOf, stalledOf } from './measures.ts';
import { names } from './names.ts';
import type { Network } from './network.ts';
import { allowKeys, allowProtection, allowSending, allowWorkingOff } from './permissions.ts';
import type { Queues } from './queues.ts';

export interface GpuTasksProps {
  readonly environment: Environment;
  readonly cluster: ecs.Cluster;
  readonly network: Network;
  readonly machines: GpuMachines;
  readonly image: ecs.ContainerImage;
  readonly bucket: Bucket;
  readonly queues: Queues;
  /** What every function and task is told. */
  readonly settings: Readonly<Record<string, string>>;
}

/** What fits every machine with four cores and 16 GiB, beside the agent. */
const cpu = 3584;
const memoryMiB = 12_288;

export class GpuTasks extends Construct {
  readonly props: GpuTasksProps;

  constructor(scope: Construct, id: string, props: GpuTasksProps) {
    super(scope, id);
    this.props = props;
    for (const task of taskNames) this.#addTask(task);
  }

  #addTask(task: TaskName): void {
    const { environment, machines } = this.props;
    const room = new Construct(this, task);
    const definition = this.#definition(room, task);
    const limits = taskLimits(environment, taskNames.length);
    const backlog = backlogOf(environment, task);
    const idle = idleAlarm(room, environment, task, backlog);
    const spot = this.#service(room, 'Service', task, definition, machines.preferred);
    scaleWithBacklog(room, 'Scaling', { environment, task, service: spot, limit: limits.preferred, backlog, idle });
    // Spot may be gone for hours: where messages wait and nobody takes them, one On-Demand machine does.
    const onDemand = this.#service(room, 'Fallback', `${task}-fallback`, definition, machines.fallback);
    scaleWhenStalled(room, 'FallbackScaling', { environment, task, service: onDemand, idle });
  }

  #definition(room: Construct, task: TaskName): ecs.TaskDefinition {
    const { environment, bucket, queues, settings, cluster, image } = this.props;
    const taskRole = new Role(room, 'Role', { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com') });
    allowKeys(taskRole, bucket, taskAccess(task));
    allowWorkingOff(taskRole, queues.queue(task));
    if (task !== 'live') allowSending(taskRole, [queues.queue('control')]);
    allowProtection(taskRole, cluster.clusterName);
    const logs = logGroup(room, 'Logs', environment, `task/${task}`);
    const definition = taskDefinition(room, environment, taskRole, executionRole(room, logs));
    const container = definition.addContainer('worker', {
      image,
      essential: true,
      memoryReservationMiB: memoryMiB,
      gpuCount: 1,
      stopTimeout: Duration.seconds(taskStopSeconds),
      linuxParameters: linuxParameters(room),
      environment: {
        ...settings,
        [settingNames.task]: task,
        [settingNames.device]: 'cuda',
        ...managedMachine(environment),
      },
      logging: ecs.LogDrivers.awsLogs({ streamPrefix: task, logGroup: logs }),
    });
    if (environment.compute === 'spot') mountMachine(definition, container);
    acknowledge(definition, 'AwsSolutions-ECS2', 'Addresses of queues and the name of a bucket are no secrets.');
    return definition;
  }

  #service(room: Construct, id: string, name: string, taskDefinition: ecs.TaskDefinition, provider: string) {
    const { environment, cluster, machines, network } = this.props;
    const common: ecs.BaseServiceOptions = {
      cluster,
      serviceName: names.resource(environment, name),
      // Decided by the queue; a deployment leaves it alone.
      minHealthyPercent: 0,
      maxHealthyPercent: 100,
      circuitBreaker: { enable: true, rollback: true },
      capacityProviderStrategies: [{ capacityProvider: provider, weight: 1 }],
      enableECSManagedTags: true,
      propagateTags: ecs.PropagatedTagSource.SERVICE,
    };
    const service =
      environment.compute === 'spot'
        ? new ecs.Ec2Service(room, id, { ...common, taskDefinition, desiredCount: 0 })
        : new ecs.FargateService(room, id, {
            ...common,
            taskDefinition,
            desiredCount: 0,
            ...(environment.network === 'public'
              ? {}
              : { vpcSubnets: network.subnets, securityGroups: [network.securityGroup] }),
          });
    service.node.addDependency(...machines.providers);
    return service;
  }
}

/** What the machine wrote down about itself when it started. */
function mountMachine(definition: ecs.TaskDefinition, container: ecs.ContainerDefinition): void {
  const folder = dirname(machineFile);
  definition.addVolume({ name: 'machine', host: { sourcePath: folder } });
  container.addMountPoints({ sourceVolume: 'machine', containerPath: folder, readOnly: true });
}

/** Managed Instances start without a script of ours: the first choice stands for all of them. */
const managedMachine = ({ compute, gpuInstances }: Environment): Record<string, string> =>
  compute === 'spot' ? {} : { [settingNames.machine]: `${gpuInstances[0]} spot` };

function taskDefinition(
  room: Construct,
  { compute, network }: Environment,
  taskRole: Role,
  executionRole: Role,
): ecs.TaskDefinition {
  if (compute === 'spot') {
    // Behind the machine's own address: tasks with an address of their own could have no public one.
    return new ecs.Ec2TaskDefinition(room, 'Task', { taskRole, executionRole, networkMode: ecs.NetworkMode.BRIDGE });
  }
  return new ecs.TaskDefinition(room, 'Task', {
    compatibility: ecs.Compatibility.MANAGED_INSTANCES,
    cpu: String(cpu),
    memoryMiB: String(memoryMiB),
    taskRole,
    executionRole,
    networkMode: network === 'public' ? ecs.NetworkMode.HOST : ecs.NetworkMode.AWS_VPC,
  });
}

/** ECS writes logs and pulls images with it; the program does not have it. */
function executionRole(room: Construct, logs: LogGroup): Role {
  const role = new Role(room, 'ExecutionRole', { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com') });
  logs.grantWrite(role);
  acknowledgeWildcards(role, ['*'], 'ecr:GetAuthorizationToken knows no resources.');
  return role;
}

/** `init` hands SIGTERM on to the program and buries its children. */
function linuxParameters(room: Construct): ecs.LinuxParameters {
  const parameters = new ecs.LinuxParameters(room, 'Linux', { initProcessEnabled: true });
  parameters.dropCapabilities(ecs.Capability.ALL);
  return parameters;
}

interface Scaling {
  readonly environment: Environment;
  readonly task: TaskName;
  readonly service: ecs.BaseService;
  readonly idle: Alarm;
}

/** Counts what is under way too, so that picking work up does not look like less work. Steps double: 1, 2, 4 … tasks. */
function scaleWithBacklog(
  room: Construct,
  id: string,
  { limit, backlog, ...scaling }: Scaling & { limit: number; backlog: IMetric },
): void {
  const target = targetOf(room, id, scaling, limit);
  const up = exactly(room, `${id}Up`, target);
  const waiting = new Alarm(room, `${id}Waiting`, {
    alarmName: names.resource(scaling.environment, `${scaling.task}-scale-up`),
    alarmDescription: 'Starts tasks: pieces wait. Not a fault.',
    metric: backlog,
    threshold: 1,
    evaluationPeriods: 1,
    comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    treatMissingData: TreatMissingData.NOT_BREACHING,
  });
  for (const { from, to, tasks } of steps(limit, scaling.environment.piecesPerTask)) {
    // Bounds are distances from the alarm's threshold, which is 1.
    up.addAdjustment({ adjustment: tasks, lowerBound: from - 1, ...(to !== undefined && { upperBound: to - 1 }) });
  }
  waiting.addAlarmAction(new ApplicationScalingAction(up));
}

/** Messages that wait while nobody takes any: one task on On-Demand, until nothing is left. */
function scaleWhenStalled(room: Construct, id: string, scaling: Scaling): void {
  const target = targetOf(room, id, scaling, 1);
  const up = exactly(room, `${id}Up`, target);
  up.addAdjustment({ adjustment: 1, lowerBound: 0 });
  const stalled = new Alarm(room, `${id}Stalled`, {
    alarmName: names.resource(scaling.environment, `${scaling.task}-fall-back`),
    alarmDescription: 'Starts a task on an On-Demand machine: pieces wait and Spot has given none. Not a fault.',
    metric: stalledOf(scaling.environment, scaling.task),
    threshold: 1,
    evaluationPeriods: 15,
    comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    treatMissingData: TreatMissingData.NOT_BREACHING,
  });
  stalled.addAlarmAction(new ApplicationScalingAction(up));
}

/** From how many waiting pieces how many tasks: doubling, so that ten steps reach any cap. */
export function steps(limit: number, piecesPerTask: number): { from: number; to?: number; tasks: number }[] {
  const sizes: number[] = [];
  for (let tasks = 1; tasks < limit; tasks *= 2) sizes.push(tasks);
  sizes.push(limit);
  // So many tasks once those before have their share.
  const from = (i: number) => (i === 0 ? 1 : sizes[i - 1]! * piecesPerTask + 1);
  return sizes.map((tasks, i) => ({ from: from(i), tasks, ...(i + 1 < sizes.length && { to: from(i + 1) }) }));
}

function idleAlarm(room: Construct, environment: Environment, task: TaskName, metric: IMetric): Alarm {
  return new Alarm(room, 'Idle', {
    alarmName: names.resource(environment, `${task}-scale-down`),
    alarmDescription:
      'Stops every task: nothing has waited for ten minutes. Its usual state is "in alarm"; not a fault.',
    metric,
    threshold: 0,
    evaluationPeriods: 10,
    comparisonOperator: ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD,
    // No measurement, no decision.
    treatMissingData: TreatMissingData.IGNORE,
  });
}

function targetOf(room: Construct, id: string, { service, idle }: Scaling, maxCapacity: number): ScalableTarget {
  const target = new ScalableTarget(room, `${id}Target`, {
    serviceNamespace: ServiceNamespace.ECS,
    scalableDimension: 'ecs:service:DesiredCount',
    resourceId: `service/${service.cluster.clusterName}/${service.serviceName}`,
    minCapacity: 0,
    maxCapacity,
  });
  const down = exactly(room, `${id}Down`, target);
  down.addAdjustment({ adjustment: 0, upperBound: 0 });
  idle.addAlarmAction(new ApplicationScalingAction(down));
  return target;
}

const exactly = (room: Construct, id: string, scalingTarget: ScalableTarget) =>
  new StepScalingAction(room, id, {
    scalingTarget,
    adjustmentType: AdjustmentType.EXACT_CAPACITY,
    cooldown: Duration.minutes(1),
  });
