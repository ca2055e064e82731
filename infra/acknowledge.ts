/** Acknowledged findings of cdk-nag: said beside the construct, with the reason, for exactly one finding each. */
import { Stack, Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/** @param rule as in "AwsSolutions-S1" */
export const acknowledge = (construct: IConstruct, rule: string, reason: string): void =>
  Validations.of(construct).acknowledge({ id: rule, reason });

/** Wildcards in resources of a policy, named as cdk-nag names them: with logical ids in angle brackets. */
export function acknowledgeWildcards(construct: IConstruct, arns: readonly string[], reason: string): void {
  const stack = Stack.of(construct);
  for (const arn of new Set(arns))
    acknowledge(construct, `AwsSolutions-IAM5[Resource::${flat(stack.resolve(arn))}]`, reason);
}

type Reference = string | { 'Fn::Join': [string, Reference[]] } | { 'Fn::GetAtt': [string, string] } | { Ref: string };

function flat(reference: Reference): string {
  if (typeof reference === 'string') return reference;
  if ('Ref' in reference) return `<${reference.Ref}>`;
  if ('Fn::GetAtt' in reference) return `<${reference['Fn::GetAtt'].join('.')}>`;
  if ('Fn::Join' in reference) {
    const [delimiter, parts] = reference['Fn::Join'];
    return parts.map(flat).join(delimiter);
  }
  throw new Error(`cannot name ${JSON.stringify(reference)} as cdk-nag would`);
}
