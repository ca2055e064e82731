/** For the build: what would be made from schemas at every start is made once, and takes the place of the files that make it. */
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import standaloneCode from 'ajv/dist/standalone/index.js';
import { build, transform } from 'esbuild';

const root = fileURLToPath(new URL('.', import.meta.url));
const require = createRequire(import.meta.url);
const name = 'checks';

/**
 * What a file of ours exports.
 * @param {string} entry
 */
async function exportsOf(entry) {
  const file = `${root}dist/${name}.mjs`;
  await build({
    entryPoints: [root + entry],
    outfile: file,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
  });
  try {
    return await import(`${pathToFileURL(file).href}?${entry}`);
  } finally {
    rmSync(file);
  }
}

/** What each compiler knows, as a module in CommonJS that exports every check by its name. */
async function checkModules() {
  /** @type {typeof import('./pipeline/serve/checks.ts')} */
  const { compilers } = await exportsOf('pipeline/serve/checks.ts');
  const modules = compilers({ source: true }).map(({ ajv, schemas }) => standaloneCode.default(ajv, schemas));
  return Promise.all(modules.map(async code => (await transform(code, { minify: true })).code));
}

/** @returns {Promise<import('esbuild').Plugin>} */
export async function madeAhead() {
  const modules = await checkModules();
  /** @type {typeof import('./core/api/job-schema.ts')} */
  const { jobRequest } = await exportsOf('core/api/job-schema.ts');
  const all = modules.map((_, i) => `...require('${name}:${i}')`);
  return {
    name,
    setup(building) {
      building.onLoad({ filter: /[\\/]serve[\\/]checks\.ts$/ }, () => ({
        contents: `let all;\nexport const checkOf = name => (all ??= { ${all} })[name];`,
        resolveDir: root,
      }));
      building.onLoad({ filter: /[\\/]api[\\/]job-schema\.ts$/ }, () => ({
        contents: `export const jobRequest = ${JSON.stringify(jobRequest)};`,
      }));
      building.onResolve({ filter: /^checks:/ }, ({ path }) => ({ path, namespace: name }));
      building.onLoad({ filter: /./, namespace: name }, ({ path }) => ({
        contents: modules[Number(path.slice(name.length + 1))],
        resolveDir: root,
      }));
      // What the code of a check asks for goes into the bundle, wherever packages stay outside.
      building.onResolve({ filter: /^ajv\/dist\/runtime\// }, ({ path }) => ({ path: require.resolve(path) }));
    },
  };
}
