/** Apps synthesized in this process from stand-ins of the bundles, so that nothing needs to be built and templates stay the same. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { functionNames } from '#pipeline/settings';

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
  put('../infra', 'service.Dockerfile');
  return dist;
}

export const dist = standIns();
