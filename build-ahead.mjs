/** For the build: what would be made from schemas at every start is made once, and takes the place of the files that make it. */
import { rmSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import standaloneCode from 'ajv/dist/standalone/index.js';
import { build, transform } from 'esbuild';

const root = fileURLToPath(new URL('.', import.meta.url));
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

/**
 * A module in CommonJS with all of these.
 * @param {readonly string[]} modules
 * @param {string} outfile
 */
async function writeChecks(modules, outfile) {
  const all = modules.map((_, i) => `...require('${name}:${i}')`);
  await build({
    stdin: { contents: `module.exports = { ${all} };`, resolveDir: root },
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    plugins: [
      {
        name,
        setup(building) {
          building.onResolve({ filter: /^checks:/ }, ({ path }) => ({ path, namespace: name }));
          building.onLoad({ filter: /./, namespace: name }, ({ path }) => ({
            contents: modules[Number(path.slice(name.length + 1))],
            resolveDir: root,
          }));
        },
      },
    ],
  });
}

/** The checks lie beside the bundle, in a file that is read when the first of them is needed. */
const checksFile = `${name}.cjs`;

/** @returns {Promise<import('esbuild').Plugin>} */
export async function madeAhead() {
  const modules = await checkModules();
  /** @type {typeof import('./core/api/job-schema.ts')} */
  const { jobRequest } = await exportsOf('core/api/job-schema.ts');
  return {
    name,
    setup(building) {
      let checked = false;
      building.onLoad({ filter: /[\\/]serve[\\/]checks\.ts$/ }, () => {
        checked = true;
        return {
          contents: `import { createRequire } from 'node:module';
            let all;
            export const checkOf = name => (all ??= createRequire(import.meta.url)('./${checksFile}'))[name];`,
        };
      });
      building.onLoad({ filter: /[\\/]api[\\/]job-schema\.ts$/ }, () => ({
        contents: `export const jobRequest = ${JSON.stringify(jobRequest)};`,
      }));
      building.onEnd(async () => {
        if (checked) await writeChecks(modules, `${building.initialOptions.outdir}/${checksFile}`);
      });
    },
  };
}
