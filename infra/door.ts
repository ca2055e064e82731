/** A function on Lambda with a role, a log group and alarms of its own. */
import { Duration } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import { acknowledgeWildcards } from './acknowledge.ts';
import type { Alarms } from './alarms.ts';
import type { Environment } from './environment.ts';
import { logGroup } from './log-group.ts';
import { names } from './names.ts';

export interface DoorProps {
  readonly environment: Environment;
  readonly alarms: Alarms;
  readonly name: string;
  readonly code: lambda.Code;
  readonly architecture: lambda.Architecture;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly layers?: readonly lambda.ILayerVersion[];
  /** With traces of X-Ray. */
  readonly traced?: boolean;
}

export class Door extends Construct {
  readonly function: lambda.Function;
  readonly role: Role;

  constructor(scope: Construct, id: string, props: DoorProps) {
    super(scope, id);
    const { environment, name } = props;
    this.role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    const logs = logGroup(this, 'Logs', environment, `function/${name}`);
    logs.grantWrite(this.role);
    this.function = new lambda.Function(this, 'Function', {
      functionName: names.resource(environment, name),
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: props.architecture,
      code: props.code,
      handler: `${name}.handler`,
      role: this.role,
      logGroup: logs,
      timeout: Duration.seconds(props.timeoutSeconds),
      memorySize: props.memoryMb,
      environment: { NODE_OPTIONS: '--enable-source-maps', ...props.settings },
      ...(props.layers && { layers: [...props.layers] }),
      tracing: props.traced ? lambda.Tracing.ACTIVE : lambda.Tracing.DISABLED,
    });
    if (props.traced) acknowledgeWildcards(this.role, ['*'], 'X-Ray takes traces without naming a resource.');
    props.alarms.watchFunction(name, this.function);
  }
}
