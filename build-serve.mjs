/**
 * For the build: `serve` as a bundle of its own. How soon it answers depends on how many files it is read from and on what must be
 * compiled, so it is one script in CommonJS, whose compiled code can be kept (`adapters/local/kept-code`), and one per thread.
 */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { build } from 'esbuild';
import { onlyCommand } from './build-command.mjs';
import { packagesInside } from './build-packages.mjs';

const outdir = 'dist/serve';

/**
 * Files that are named for Node to find them have other names here.
 * @param {Readonly<Record<string, string>>} names
 * @returns {import('esbuild').Plugin}
 */
const renamed = names => ({
  name: 'renamed',
  setup(building) {
    building.onLoad({ filter: /[\\/](session|pixel-threads|serve-start)\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      return { contents: text.replace(/(?<=new URL\(')[^']+/g, name => names[name] ?? name), loader: 'ts' };
    });
  },
});

/**
 * @param {import('esbuild').BuildOptions} common
 * @param {{ threads: Record<string, string>, external: string[] }} parts
 */
export async function buildServe(common, { threads, external }) {
  const names = Object.fromEntries(Object.keys(threads).map(name => [`./${name}.mjs`, `./${name}.cjs`]));
  const plugins = [...(common.plugins ?? []), packagesInside()];
  /** @type {import('esbuild').BuildOptions} */
  const scripts = {
    ...common,
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    outdir,
    external,
    charset: 'ascii',
    define: { 'import.meta.url': 'importMetaUrl' },
    banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
    minifySyntax: true,
    minifyWhitespace: true,
  };
  const { metafile } = await build({
    ...scripts,
    entryPoints: { program: 'cli/serve-program.ts' },
    // Compiled code that was kept belongs to one content.
    entryNames: '[name]-[hash]',
    metafile: true,
    plugins: [...plugins, onlyCommand('serve'), renamed(names)],
  });
  const program = Object.keys(metafile.outputs).find(path => path.endsWith('.cjs'));
  if (!program) throw new Error('the bundle of serve was not written');
  const file = `./${basename(program)}`;
  await build({
    ...scripts,
    entryPoints: { start: 'cli/serve-start.ts', ...threads },
    plugins: [...plugins, renamed({ ...names, './serve-program.ts': file })],
  });
}
