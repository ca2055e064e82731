/** What a synthesized role may do with the bucket, read from its policies, and whether that covers an access. */
import type { Template } from 'aws-cdk-lib/assertions';
import type { Note } from './recording-store.ts';

interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: Record<string, Record<string, string | string[]>>;
}

/** One pattern of keys a role may read, write, delete or list. */
export interface Grant {
  readonly access: Note['access'];
  readonly pattern: string;
}

const accessOf: Readonly<Record<string, Note['access']>> = {
  's3:GetObject': 'read',
  's3:PutObject': 'write',
  's3:DeleteObject': 'delete',
  's3:ListBucket': 'list',
};

const listOf = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);

/** @param role logical id */
export function statementsOf(template: Template, role: string): Statement[] {
  const policies = Object.values(template.findResources('AWS::IAM::Policy'));
  const ours = policies.filter(({ Properties }) =>
    (Properties.Roles as { Ref: string }[]).some(({ Ref }) => Ref === role),
  );
  return ours.flatMap(({ Properties }) => Properties.PolicyDocument.Statement as Statement[]);
}

export function grantsOf(template: Template, role: string): Grant[] {
  const grants: Grant[] = [];
  for (const { Effect, Action, Resource, Condition } of statementsOf(template, role)) {
    if (Effect !== 'Allow') continue;
    for (const action of listOf(Action)) {
      const access = accessOf[action];
      if (!access) continue;
      const patterns =
        access === 'list' ? listOf(Condition!.StringLikeIfExists!['s3:prefix']!) : listOf(Resource).map(keyOf);
      grants.push(...patterns.map(pattern => ({ access, pattern })));
    }
  }
  return grants;
}

/** The part of an object's ARN after the bucket. */
function keyOf(resource: unknown): string {
  const text = JSON.stringify(resource);
  const [, key] = /"\/([^"]+)"\]\]\}$/.exec(text) ?? [];
  if (!key) throw new Error(`no ARN of objects: ${text}`);
  return key;
}

/** As IAM compares: `*` is any run of characters, slashes too. */
export const matches = (pattern: string, key: string): boolean =>
  new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\?]/g, '\\$&').replaceAll('*', '.*')}$`, 's').test(key);

export const covers = (grant: Grant, { access, key }: Note): boolean =>
  grant.access === access && matches(grant.pattern, key);
