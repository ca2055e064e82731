/** An environment: what differs between dev, staging and prod, checked before anything is built. */
import * as z from 'zod';
import { sayIssues } from '#core/job/say-issues';
import { dev } from './environments/dev.ts';
import { prod } from './environments/prod.ts';
import { staging } from './environments/staging.ts';

const days = z.int().min(1).max(3650);

const environment = z.strictObject({
  account: z
    .string()
    .regex(/^\d{12}$/, 'an account is twelve digits')
    .optional(),
  region: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'a region is named like eu-west-1')
    .optional(),
  /** Who hears alarms and the budget. */
  email: z.email().optional(),
  /** `isolated`: no way to the internet, endpoints for a monthly price; `nat`: one NAT gateway; `public`: public addresses, nothing let in, free. */
  network: z.enum(['isolated', 'nat', 'public']),
  /** `spot`: an Auto Scaling group on Spot that falls back to On-Demand; `managed-instances`: ECS runs the machines. */
  compute: z.enum(['spot', 'managed-instances']),
  /** Machines with one GPU each, the preferred first. */
  gpuInstances: z.array(z.string().regex(/^[a-z0-9]+\.[a-z0-9]+$/)).min(1),
  /** GPUs at work at once, whatever waits: the cap on what an hour can cost. */
  maxGpus: z.int().min(2).max(1000),
  /** Pieces that wait per task before another task is started. */
  piecesPerTask: z.int().min(1).max(1000),
  /** Buckets survive `cdk destroy`, replaced objects are kept for a while, stacks refuse to be deleted. */
  keepData: z.boolean(),
  /** After how many days uploads and results go, where they may. */
  expire: z.strictObject({ jobs: days.optional(), live: days.optional() }),
  logDays: z.union([z.literal(7), z.literal(30), z.literal(90), z.literal(365)]),
  /** Dollars per month above which the budget writes a mail. */
  monthlyBudget: z.number().positive(),
  api: z.strictObject({
    /** `lambda` behind API Gateway, or the same program as a `service` behind a load balancer. */
    kind: z.enum(['lambda', 'service']),
    /** `iam`: signed requests; `jwt`: tokens of any issuer with public keys, checked by the program itself. */
    auth: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('iam') }),
      z.strictObject({
        kind: z.literal('jwt'),
        issuer: z.string().min(1),
        audience: z.string().min(1),
        /** Address of the public keys (JWKS). */
        keys: z.url(),
        scope: z.string().optional(),
      }),
    ]),
    waf: z.boolean(),
    requestsPerSecond: z.number().positive(),
    burst: z.int().positive(),
    requestsPerDay: z.int().positive(),
    memoryMb: z.int().min(512).max(10_240),
    /** Instances kept warm: no cold start, for a price per hour. */
    warm: z.int().min(0).max(100),
    /** The certificate of the load balancer; needed for `service`. */
    certificateArn: z.string().startsWith('arn:').optional(),
  }),
});

export type Environment = z.output<typeof environment> & { readonly name: EnvironmentName };
/** What a file under `environments/` says. */
export type EnvironmentFile = z.input<typeof environment>;

const files = { dev, staging, prod } as const;
export type EnvironmentName = keyof typeof files;
export const environmentNames = Object.keys(files) as EnvironmentName[];

/** What may be said on the command line with `-c key=value`, over what the file says. */
export interface Overrides {
  readonly account?: string | undefined;
  readonly region?: string | undefined;
  readonly email?: string | undefined;
}

/** @throws Error that names the environment, the key that is wrong and what was expected */
export function environmentOf(name: string, overrides: Overrides = {}): Environment {
  if (!isEnvironment(name)) {
    throw new Error(`there is no environment "${name}"; use one of ${environmentNames.join(', ')}: -c env=dev`);
  }
  return checkEnvironment(name, files[name], overrides);
}

/** @throws Error that names the environment, the key that is wrong and what was expected */
export function checkEnvironment(name: EnvironmentName, file: unknown, overrides: Overrides = {}): Environment {
  const said = Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined));
  const read = environment.safeParse({ ...(file as object), ...said });
  if (!read.success) throw new Error(`infra/environments/${name}.ts is not usable: ${sayIssues(read.error)}`);
  if (name === 'prod' && !read.data.account) {
    throw new Error('prod is built for one account only: name it in infra/environments/prod.ts or with -c account=…');
  }
  assertApi(name, read.data);
  return { ...read.data, name };
}

/** Switches that belong together. */
function assertApi(name: string, { api, network }: Omit<Environment, 'name'>): void {
  const { kind, auth, certificateArn } = api;
  const refuse = (why: string) => {
    throw new Error(`infra/environments/${name}.ts is not usable: api: ${why}`);
  };
  if (kind === 'service' && !certificateArn) refuse('a service needs certificateArn: tokens never travel in the clear');
  if (kind === 'service' && auth.kind === 'iam') refuse('a load balancer knows no signed requests; use auth jwt');
  if (kind === 'service' && network === 'isolated')
    refuse('a service in an isolated network cannot fetch the keys of tokens');
}

const isEnvironment = (name: string): name is EnvironmentName => Object.hasOwn(files, name);
