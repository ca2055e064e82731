/** A log group of our own for each program: its retention is the environment's, and it goes with the stack. */
import { RemovalPolicy } from 'aws-cdk-lib';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import type { Environment } from './environment.ts';

const retention = {
  7: RetentionDays.ONE_WEEK,
  30: RetentionDays.ONE_MONTH,
  90: RetentionDays.THREE_MONTHS,
  365: RetentionDays.ONE_YEAR,
} as const;

export const logGroup = (scope: Construct, id: string, { name, logDays }: Environment, what: string): LogGroup =>
  new LogGroup(scope, id, {
    logGroupName: `/selflabel/${name}/${what}`,
    retention: retention[logDays],
    removalPolicy: RemovalPolicy.DESTROY,
  });
