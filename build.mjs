/** Bundles the command line and the functions into dist/: our own TypeScript in, packages of the command line left outside. */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { madeAhead } from './build-ahead.mjs';
import { packagesBeside } from './build-packages.mjs';
import { buildServe } from './build-serve.mjs';

const root = fileURLToPath(new URL('.', import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });
/** What runs in threads of its own: files beside every program that runs models. */
const threads = {
  'session-worker': 'adapters/onnxruntime/session-worker.mjs',
  'pixel-worker': 'adapters/threads/pixel-worker.ts',
};
const ahead = await madeAhead();
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
  plugins: [ahead.beside],
};
/** Packages in CommonJS ask for Node's own modules at run time. */
const withRequire = {
  js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);",
};
/** What the command line finds in node_modules. */
const outside = ['@aws-sdk/*', 'ml-matrix', 'yauzl', 'yazl'];
/** @type {import('esbuild').BuildOptions} */
const commandLine = {
  ...common,
  // What only some commands need lies in files of its own, so that the others start without it.
  splitting: true,
  external: outside,
  banner: withRequire,
};
await build({
  ...commandLine,
  entryPoints: { main: 'cli/main.ts', 'evaluate-worker': 'cli/evaluate-worker.ts', ...threads },
  outdir: 'dist',
  plugins: [ahead.beside, packagesBeside()],
});
await buildServe({ ...common, plugins: [ahead.inside] }, { threads, external: outside });
cpSync(`${root}cli/selflabel.mjs`, `${root}dist/selflabel.mjs`);
// For Lambda: one file each. Its runtime brings the AWS clients, a layer what decodes pictures; everything else is inside.
await build({
  ...common,
  entryPoints: ['plan', 'fan-out', 'advance', 'publish', 'backlog', 'score'].map(name => `functions/${name}.ts`),
  banner: withRequire,
  outdir: 'dist/functions',
  external: ['@aws-sdk/*', 'sharp'],
  minify: true,
});
// The API needs native packages beside it, and the session's thread as a file of its own.
await build({
  ...common,
  entryPoints: { api: 'functions/api.ts', ...threads },
  outdir: 'dist/functions',
  external: ['@aws-sdk/client-*'],
  plugins: [ahead.beside, packagesBeside()],
  banner: withRequire,
  minify: true,
});
// For the image of the tasks: all that its Dockerfile copies.
await build({
  ...common,
  entryPoints: { task: 'gpu-tasks/task.ts', ...threads },
  outdir: 'dist/gpu-task',
  packages: 'external',
});
cpSync(`${root}gpu-tasks/image`, `${root}dist/gpu-task`, { recursive: true });
copyPictureLayer();
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

/**
 * What decodes pictures, for Lambda on Linux x86-64: a layer of the packages as npm installed them. On another system they
 * come by `npm install --no-save --os linux --cpu x64 --libc glibc sharp`; without them the layer says so and no more.
 */
function copyPictureLayer() {
  const layer = `${root}dist/layers/sharp`;
  mkdirSync(layer, { recursive: true });
  const platform = ['@img/sharp-linux-x64', '@img/sharp-libvips-linux-x64'];
  const missing = platform.find(name => !existsSync(`${root}node_modules/${name}`));
  if (missing) {
    writeFileSync(
      `${layer}/MISSING`,
      `${missing} is not installed: npm install --no-save --os linux --cpu x64 sharp\n`,
    );
    return;
  }
  for (const name of ['sharp', '@img/colour', 'detect-libc', 'semver', ...platform])
    cpSync(`${root}node_modules/${name}`, `${layer}/nodejs/node_modules/${name}`, { recursive: true });
}
