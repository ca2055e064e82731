/** Bundles the command line and the functions into dist/: our own TypeScript in, packages of the command line left outside. */
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
    'evaluate-worker': 'cli/evaluate-worker.ts',
    'session-worker': 'adapters/onnxruntime/session-worker.mjs',
  },
  outdir: 'dist',
  packages: 'external',
});
// For Lambda: one file each. Its runtime brings the AWS clients; everything else is inside.
await build({
  ...common,
  entryPoints: { advance: 'functions/advance.ts', score: 'functions/score.ts' },
  // yauzl is CommonJS and asks for Node's modules by `require`.
  banner: {
    js: "import{createRequire as makeRequire__}from'node:module';const require=makeRequire__(import.meta.url);",
  },
  outdir: 'dist/functions',
  external: ['@aws-sdk/*'],
  minify: true,
});
chmodSync(`${root}dist/selflabel.mjs`, 0o755);
