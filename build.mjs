/** Bundles the command line and the functions into dist/: our own TypeScript in, packages of the command line left outside. */
import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('.', import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });
/** @type {import('esbuild').BuildOptions} */
const common = {
  absWorkingDir: root,
  bundle: true,
  splitting: false,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  sourcemap: true,
  outExtension: { '.js': '.mjs' },
  logLevel: 'warning',
};
await build({
  ...common,
  entryPoints: {
    selflabel: 'cli/main.ts',
    'session-worker': 'adapters/onnxruntime/session-worker.mjs',
  },
  outdir: 'dist',
  // What only some commands need lies in files of its own, so that the others start without it.
  splitting: true,
  packages: 'external',
});
// For Lambda: one file each. Its runtime brings the AWS clients; everything else is inside.
await build({
  ...common,
  entryPoints: { advance: 'functions/advance.ts' },
  outdir: 'dist/functions',
  external: ['@aws-sdk/*'],
  minify: true,
});
// The API needs native packages beside it, and the session's thread as a file of its own.
await build({
  ...common,
  entryPoints: { api: 'functions/api.ts', 'session-worker': 'adapters/onnxruntime/session-worker.mjs' },
  outdir: 'dist/functions',
  external: ['@aws-sdk/client-*', 'onnxruntime-node', 'sharp'],
  // Packages in CommonJS ask for Node's own modules at run time.
  banner: {
    js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
  },
  minify: true,
});
// For browsers and Node alike, with its types beside it.
await build({
  ...common,
  entryPoints: { client: 'client/index.ts' },
  outdir: 'dist',
  platform: 'neutral',
  target: 'es2022',
});
execFileSync(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '--project', `${root}client`], {
  stdio: 'inherit',
});
chmodSync(`${root}dist/selflabel.mjs`, 0o755);
