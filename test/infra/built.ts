/** Apps synthesized in this process from stand-ins of the bundles, so that nothing needs to be built and templates stay the same. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Template } from 'aws-cdk-lib/assertions';
import { functionNames } from '#pipeline/settings';
import { buildApp } from '../../infra/app.ts';
import type { Environment } from '../../infra/environment.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const cdkJson = JSON.parse(readFileSync(join(root, 'cdk.json'), 'utf8')) as { context: Record<string, unknown> };

/** `dist` as the building wants it, one line per file. */
function standIns(): string {
  const dist = join(mkdtempSync(join(tmpdir(), 'selflabel-dist-')), 'dist');
  const put = (folder: string, file: string) => {
    mkdirSync(join(dist, folder), { recursive: true });
    writeFileSync(join(dist, folder, file), `// ${file}\n`);
  };
  for (const name of functionNames) put('functions', `${name}.mjs`);
  put('layers/sharp', 'stand-in.mjs');
  put('api', 'api.mjs');
  put('gpu-task', 'Dockerfile');
  return dist;
}

export const dist = standIns();

/** Findings of every validation, by the name of who found them. */
export interface Report {
  readonly pluginReports: readonly {
    readonly pluginName: string;
    readonly conclusion: string;
    readonly violations: readonly { readonly ruleName: string; readonly description: string }[];
  }[];
}

/** @throws Error where a validation finds something */
export function synthesize(environment: Environment, image?: string) {
  const { app, pipeline, api } = buildApp({ environment, dist, image }, { context: cdkJson.context });
  const assembly = app.synth();
  return { assembly, pipeline: Template.fromStack(pipeline), api: Template.fromStack(api) };
}
