/** The firewall in front of the API: rules that AWS keeps, and a limit per address. */
import { CfnWebACL, CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2';
import type { Construct } from 'constructs';
import type { Environment } from './environment.ts';
import { names } from './names.ts';

const requestsPerAddress = 2000;

export function addFirewall(scope: Construct, environment: Environment, resourceArn: string): void {
  const visible = (metricName: string) => ({
    cloudWatchMetricsEnabled: true,
    sampledRequestsEnabled: true,
    metricName,
  });
  const managed = (name: string, priority: number, counted: readonly string[] = []): CfnWebACL.RuleProperty => ({
    name,
    priority,
    overrideAction: { none: {} },
    statement: {
      managedRuleGroupStatement: {
        vendorName: 'AWS',
        name,
        ruleActionOverrides: counted.map(rule => ({ name: rule, actionToUse: { count: {} } })),
      },
    },
    visibilityConfig: visible(name),
  });
  const acl = new CfnWebACL(scope, 'Firewall', {
    name: names.resource(environment, 'api'),
    scope: 'REGIONAL',
    defaultAction: { allow: {} },
    visibilityConfig: visible(names.resource(environment, 'api')),
    rules: [
      // Its limit of 8 KB would refuse every photo; photos also hold bytes that look like attacks.
      managed('AWSManagedRulesCommonRuleSet', 0, [
        'SizeRestrictions_BODY',
        'CrossSiteScripting_BODY',
        'GenericLFI_BODY',
      ]),
      managed('AWSManagedRulesKnownBadInputsRuleSet', 1),
      {
        name: 'PerAddress',
        priority: 2,
        action: { block: {} },
        statement: { rateBasedStatement: { aggregateKeyType: 'IP', limit: requestsPerAddress } },
        visibilityConfig: visible('PerAddress'),
      },
    ],
  });
  new CfnWebACLAssociation(scope, 'FirewallOfApi', { resourceArn, webAclArn: acl.attrArn });
}
