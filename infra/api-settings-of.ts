/** What the API's program is told, from the environment. */
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { apiSettingNames } from '#pipeline/api-settings';
import type { Environment } from './environment.ts';

/** Lambda gives one core for every 1769 MB. */
export const coresOf = (memoryMb: number): number => Math.max(1, Math.ceil(memoryMb / 1769));

export function apiSettingsOf({ api }: Environment, bucket: IBucket): Record<string, string> {
  return {
    [apiSettingNames.bucket]: bucket.bucketName,
    [apiSettingNames.threads]: String(coresOf(api.memoryMb)),
    ...(api.auth.kind === 'jwt' && { [apiSettingNames.token]: tokenRules(api.auth) }),
  };
}

const tokenRules = ({ kind: _, ...rules }: Extract<Environment['api']['auth'], { kind: 'jwt' }>) =>
  JSON.stringify(rules);
