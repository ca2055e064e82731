/** The dashboard of the pipeline: what waits, what works, what failed. */
import { ArnFormat, Stack } from 'aws-cdk-lib';
import { Alarm, AlarmStatusWidget, Dashboard, GraphWidget, type Metric, TextWidget } from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import { stages } from '#core/job/stage';
import { metrics, queueNames } from '#pipeline/settings';
import type { Alarms } from './alarms.ts';
import type { Environment } from './environment.ts';
import { backlogOf, heldImages, ofQueue, ofStage } from './measures.ts';
import { names } from './names.ts';

export function addBoard(scope: Construct, environment: Environment, alarms: Alarms): Dashboard {
  const board = new Dashboard(scope, 'Board', { dashboardName: names.resource(environment, 'pipeline') });
  const perStage = (metric: string, statistic: string) =>
    stages.map(stage => ofStage(environment, metric, stage, statistic));
  const dead = queueNames.map(queue =>
    ofQueue(names.deadLetters(environment, queue), 'ApproximateNumberOfMessagesVisible').with({ label: queue }),
  );
  board.addWidgets(
    new TextWidget({
      markdown: `# selflabel ${environment.name}\nArticles per alarm: docs/runbook.md`,
      width: 24,
      height: 2,
    }),
  );
  board.addWidgets(
    new AlarmStatusWidget({
      title: 'Alarms',
      alarms: alarms.named.map(name => named(scope, name)),
      width: 24,
      height: 4,
    }),
  );
  board.addWidgets(
    graph(
      'Backlog: waiting and under way',
      queueNames.map(queue => backlogOf(environment, queue)),
    ),
    graph('Set aside (dead letters)', dead),
  );
  board.addWidgets(
    graph('Pieces finished', perStage(metrics.pieces, 'Sum')),
    graph('Pieces failed', perStage(metrics.failures, 'Sum')),
  );
  board.addWidgets(
    graph('Seconds per piece', perStage(metrics.pieceSeconds, 'Average')),
    graph('Images that wait for a model', [heldImages(environment)]),
  );
  return board;
}

const graph = (title: string, left: Metric[]) => new GraphWidget({ title, left, width: 12, height: 6, stacked: false });

/** By its name: the board then waits for no alarm. */
const named = (scope: Construct, name: string) =>
  Alarm.fromAlarmArn(
    scope,
    `Shown-${name}`,
    Stack.of(scope).formatArn({
      ...{ service: 'cloudwatch', resource: 'alarm', resourceName: name },
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    }),
  );
