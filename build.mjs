/** Bundles the command line into dist/: our own TypeScript in, packages left outside. */
import { chmodSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('.', import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: {
    selflabel: 'cli/main.ts',
    'session-worker': 'adapters/onnxruntime/session-worker.mjs',
  },
  outdir: 'dist',
  bundle: true,
  splitting: false,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  sourcemap: true,
  outExtension: { '.js': '.mjs' },
  logLevel: 'warning',
});
chmodSync(`${root}dist/selflabel.mjs`, 0o755);
