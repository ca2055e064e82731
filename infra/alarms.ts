/** Alarms: each has a name, an article in docs/runbook.md that says what to do, and writes to one topic. */
import { Aws, Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, type IMetric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';
import { type QueueName, taskNames } from '#pipeline/settings';
import type { Environment } from './environment.ts';
import { backlogOf, heldImages, ofQueue, stalledOf } from './measures.ts';
import { names } from './names.ts';

/** Articles of docs/runbook.md; a test holds them and the page together. */
export const articles = [
  'dead-letters',
  'old-messages',
  'stalled',
  'function-errors',
  'function-throttled',
  'no-measurements',
  'held-images',
  'api-errors',
  'api-slow',
] as const;
export type Article = (typeof articles)[number];

interface AlarmFacts {
  readonly article: Article;
  /** What it is about, for its name: a queue, a function. */
  readonly what?: string;
  readonly says: string;
  readonly metric: IMetric;
  readonly threshold: number;
  /** Minutes, or periods of the metric, that it must be so. */
  readonly periods: number;
  readonly missing?: TreatMissingData;
  readonly comparison?: ComparisonOperator;
}

export class Alarms extends Construct {
  readonly topic: Topic;
  /** Names of what people hear. */
  readonly named: string[] = [];
  readonly #environment: Environment;

  constructor(scope: Construct, id: string, environment: Environment, stack: 'pipeline' | 'api') {
    super(scope, id);
    this.#environment = environment;
    this.topic = new Topic(this, 'Topic', {
      topicName: names.resource(environment, `${stack}-alarms`),
      enforceSSL: true,
    });
    // A policy of one's own replaces the one that lets the account's alarms in.
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'AlarmsAndBudget',
        principals: ['cloudwatch.amazonaws.com', 'budgets.amazonaws.com'].map(name => new ServicePrincipal(name)),
        actions: ['sns:Publish'],
        resources: [this.topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    );
    if (environment.email) this.topic.addSubscription(new EmailSubscription(environment.email));
  }

  add({ article, what, says, metric, threshold, periods, missing, comparison }: AlarmFacts): Alarm {
    const id = what ? `${article}-${what}` : article;
    const alarm = new Alarm(this, id, {
      alarmName: names.resource(this.#environment, id),
      alarmDescription: `${says} What to do: docs/runbook.md#${article}`,
      metric,
      threshold,
      evaluationPeriods: periods,
      comparisonOperator: comparison ?? ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: missing ?? TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(new SnsAction(this.topic));
    alarm.addOkAction(new SnsAction(this.topic));
    this.named.push(names.resource(this.#environment, id));
    return alarm;
  }

  watchQueue(queue: QueueName): void {
    const environment = this.#environment;
    this.add({
      article: 'dead-letters',
      what: queue,
      says: `A message of the queue ${queue} failed as often as it may and was set aside.`,
      metric: ofQueue(names.deadLetters(environment, queue), 'ApproximateNumberOfMessagesVisible'),
      threshold: 1,
      periods: 1,
    });
    const isTask = (taskNames as readonly string[]).includes(queue);
    // Functions start at once; tasks wait for machines, and for each other.
    const hours = isTask ? 6 : 1;
    this.add({
      article: 'old-messages',
      what: queue,
      says: `A message of the queue ${queue} has waited for ${hours} h.`,
      metric: ofQueue(names.queue(environment, queue), 'ApproximateAgeOfOldestMessage'),
      threshold: hours * 3600,
      periods: 5,
    });
    if (!isTask) return;
    this.add({
      article: 'stalled',
      what: queue,
      says: `Pieces have waited in the queue ${queue} for 30 minutes and no task works on them.`,
      metric: stalledOf(environment, queue),
      threshold: 1,
      periods: 30,
    });
  }

  watchFunction(name: string, watched: LambdaFunction): void {
    const period = Duration.minutes(5);
    this.add({
      article: 'function-errors',
      what: name,
      says: `The function ${name} fails.`,
      metric: watched.metricErrors({ period }),
      threshold: 3,
      periods: 2,
    });
    this.add({
      article: 'function-throttled',
      what: name,
      says: `The function ${name} is not allowed to run as often as it is called.`,
      metric: watched.metricThrottles({ period }),
      threshold: 5,
      periods: 3,
    });
  }

  /** Nothing is scaled without the measurements of `backlog`. */
  watchMeasurements(): void {
    this.add({
      article: 'no-measurements',
      says: 'The backlog has not been measured for 5 minutes, so that nothing is started or stopped.',
      metric: backlogOf(this.#environment, 'control'),
      threshold: 0,
      periods: 5,
      comparison: ComparisonOperator.LESS_THAN_THRESHOLD,
      missing: TreatMissingData.BREACHING,
    });
    this.add({
      article: 'held-images',
      says: 'Images under live/ have waited for an hour: their model has not been published.',
      metric: heldImages(this.#environment),
      threshold: 1,
      periods: 60,
    });
  }
}
