/** What is measured: the metrics that functions and tasks print, and those of the queues. */
import { Duration } from 'aws-cdk-lib';
import { MathExpression, Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { metrics, type QueueName } from '#pipeline/settings';
import type { Environment } from './environment.ts';
import { names } from './names.ts';

const period = Duration.minutes(1);

/** Messages waiting, under way or delayed, printed every minute by `backlog`. */
export const backlogOf = ({ name }: Environment, queue: QueueName): Metric =>
  new Metric({
    namespace: metrics.namespace,
    metricName: metrics.backlog,
    dimensionsMap: { Environment: name, Queue: queue },
    statistic: 'Maximum',
    period,
    label: queue,
  });

/** Messages that nobody works on: 0 as soon as one is under way. */
export const stalledOf = (environment: Environment, queue: QueueName): MathExpression =>
  new MathExpression({
    expression: 'IF(FILL(underWay, 0) > 0, 0, backlog)',
    usingMetrics: {
      backlog: backlogOf(environment, queue),
      underWay: ofQueue(names.queue(environment, queue), 'ApproximateNumberOfMessagesNotVisible'),
    },
    period,
    label: `${queue}, nobody working`,
  });

export const ofQueue = (queueName: string, metricName: string): Metric =>
  new Metric({
    namespace: 'AWS/SQS',
    metricName,
    dimensionsMap: { QueueName: queueName },
    statistic: 'Maximum',
    period,
  });

export const heldImages = ({ name }: Environment): Metric =>
  new Metric({
    namespace: metrics.namespace,
    metricName: metrics.held,
    dimensionsMap: { Environment: name },
    statistic: 'Maximum',
    period,
  });

/** Pieces finished or failed, or their seconds, per stage. */
export const ofStage = ({ name }: Environment, metricName: string, stage: string, statistic: string): Metric =>
  new Metric({
    namespace: metrics.namespace,
    metricName,
    dimensionsMap: { Environment: name, Stage: stage },
    statistic,
    period: Duration.minutes(5),
    label: stage,
  });
