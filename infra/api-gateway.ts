/** The API's function behind a REST API: routes of the OpenAPI document, requests validated, limited, logged and signed. */
import { join } from 'node:path';
import { Duration } from 'aws-cdk-lib';
import * as gateway from 'aws-cdk-lib/aws-apigateway';
import type { Role } from 'aws-cdk-lib/aws-iam';
import { Architecture, Code, type IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { imageTypes, type Route, routes } from '#core/api/openapi';
import { acknowledge } from './acknowledge.ts';
import type { Alarms } from './alarms.ts';
import { addFirewall } from './api-firewall.ts';
import { apiSettingsOf } from './api-settings-of.ts';
import type { ApiFront } from './api-stack.ts';
import { Door } from './door.ts';
import type { Environment } from './environment.ts';
import { logGroup } from './log-group.ts';
import { names } from './names.ts';

export interface ApiGatewayProps {
  readonly environment: Environment;
  readonly alarms: Alarms;
  readonly dist: string;
  readonly bucket: IBucket;
}

/** API Gateway gives up after 29 seconds; the function a moment earlier, with an answer that says so. */
const timeoutSeconds = 28;
const period = Duration.minutes(5);

export class ApiGateway extends Construct implements ApiFront {
  readonly role: Role;
  readonly requests;
  readonly serverErrors;
  readonly clientErrors;
  readonly slowest;

  constructor(scope: Construct, id: string, { environment, alarms, dist, bucket }: ApiGatewayProps) {
    super(scope, id);
    const door = new Door(this, 'Door', {
      ...{ environment, alarms, timeoutSeconds, memoryMb: environment.api.memoryMb, traced: true },
      name: 'api',
      code: Code.fromAsset(join(dist, 'api')),
      // On Arm the runtime library can end at its start: microsoft/onnxruntime#10038.
      architecture: Architecture.X86_64,
      settings: apiSettingsOf(environment, bucket),
    });
    this.role = door.role;
    const api = restApi(this, environment);
    addRoutes(api, warmed(door, environment), environment);
    addPlan(api, environment);
    if (environment.api.waf) addFirewall(this, environment, api.deploymentStage.stageArn);
    this.requests = api.metricCount({ period });
    this.serverErrors = api.metricServerError({ period, statistic: 'Sum' });
    this.clientErrors = api.metricClientError({ period, statistic: 'Sum' });
    this.slowest = api.metricLatency({ period, statistic: 'p99' });
  }
}

function warmed({ function: own }: Door, { api: { warm } }: Environment): IFunction {
  return warm > 0 ? own.addAlias('warm', { provisionedConcurrentExecutions: warm }) : own;
}

function restApi(scope: Construct, environment: Environment): gateway.RestApi {
  const { requestsPerSecond, burst, auth, waf } = environment.api;
  const accessLogs = logGroup(scope, 'AccessLogs', environment, 'api/access');
  const api = new gateway.RestApi(scope, 'Rest', {
    restApiName: names.resource(environment, 'api'),
    endpointTypes: [gateway.EndpointType.REGIONAL],
    // These travel as bytes; everything else as text.
    binaryMediaTypes: [...imageTypes, 'application/octet-stream'],
    minCompressionSize: undefined,
    // Once per account and region: without it API Gateway may write no logs.
    cloudWatchRole: true,
    deployOptions: {
      stageName: environment.name,
      throttlingRateLimit: requestsPerSecond,
      throttlingBurstLimit: burst,
      tracingEnabled: true,
      metricsEnabled: true,
      loggingLevel: gateway.MethodLoggingLevel.ERROR,
      dataTraceEnabled: false,
      accessLogDestination: new gateway.LogGroupLogDestination(accessLogs),
      accessLogFormat: gateway.AccessLogFormat.jsonWithStandardFields(),
    },
    defaultMethodOptions: {
      authorizationType: auth.kind === 'iam' ? gateway.AuthorizationType.IAM : gateway.AuthorizationType.NONE,
    },
  });
  acknowledge(
    api,
    'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]',
    'The role by which API Gateway writes logs is one per account; AWS keeps its policy.',
  );
  acknowledge(
    api,
    'AwsSolutions-COG4',
    'Requests are signed (IAM) or carry tokens that the program checks; no user pool is needed.',
  );
  if (auth.kind === 'jwt')
    acknowledge(api, 'AwsSolutions-APIG4', 'The program checks the token of every request but health and document.');
  if (!waf)
    acknowledge(
      api,
      'AwsSolutions-APIG3',
      'A switch of the environment (api.waf): requests are signed and limited without it.',
    );
  return api;
}

/** The routes of the OpenAPI document and no others. */
function addRoutes(api: gateway.RestApi, handler: IFunction, _environment: Environment): void {
  const integration = new gateway.LambdaIntegration(handler, { proxy: true, allowTestInvoke: false });
  const validator = api.addRequestValidator('Validator', {
    validateRequestBody: true,
    validateRequestParameters: true,
  });
  const models = new Map<string, gateway.Model>();
  for (const route of routes) {
    const { method, operation } = route;
    const body = jsonBodyOf(route);
    if (body && !models.has(body.name)) {
      models.set(body.name, api.addModel(body.name, { contentType: 'application/json', schema: body.schema }));
    }
    api.root.resourceForPath(route.path).addMethod(method.toUpperCase(), integration, {
      operationName: operation.operationId,
      requestValidator: validator,
      ...(body && { requestModels: { 'application/json': models.get(body.name)! } }),
    });
  }
}

/**
 * What API Gateway can check of a body in JSON Schema of draft 4: that it is an object with the members it needs. The program
 * checks the rest against the whole document.
 */
function jsonBodyOf({ operation }: Route): { name: string; schema: gateway.JsonSchema } | undefined {
  const content = operation.requestBody?.content['application/json'];
  if (!content || !operation.operationId) return undefined;
  const name = `${operation.operationId[0]!.toUpperCase()}${operation.operationId.slice(1)}Body`;
  return {
    name,
    schema: {
      schema: gateway.JsonSchemaVersion.DRAFT4,
      title: name,
      type: gateway.JsonSchemaType.OBJECT,
      minProperties: 1,
    },
  };
}

/** For callers who are given a key, on top of the limits that hold for all; a key alone lets nobody in. */
function addPlan(api: gateway.RestApi, environment: Environment): void {
  const { requestsPerSecond, burst, requestsPerDay } = environment.api;
  api.addUsagePlan('Plan', {
    name: names.resource(environment, 'api'),
    throttle: { rateLimit: requestsPerSecond, burstLimit: burst },
    quota: { limit: requestsPerDay, period: gateway.Period.DAY },
    apiStages: [{ api, stage: api.deploymentStage }],
  });
}
