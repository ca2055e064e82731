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
 * @returns {import('esbuild').Plugin}
 */
const allChecks = modules => ({
  name,
  setup(building) {
    building.onResolve({ filter: /^checks:/ }, ({ path }) => ({
      path: path.slice(name.length + 1),
      namespace: name,
    }));
    building.onLoad({ filter: /^all$/, namespace: name }, () => ({
      contents: `module.exports = { ${modules.map((_, i) => `...require('${name}:${i}')`)} };`,
      resolveDir: root,
    }));
    building.onLoad({ filter: /^\d+$/, namespace: name }, ({ path }) => ({
      contents: modules[Number(path)],
      resolveDir: root,
    }));
  },
});

/**
 * @param {readonly string[]} modules
 * @param {string} outfile
 */
const writeChecks = (modules, outfile) =>
  build({
    stdin: { contents: `module.exports = require('${name}:all');`, resolveDir: root },
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    plugins: [allChecks(modules)],
  });

/** The checks lie beside a bundle, in a file that is read when the first of them is needed, or within it. */
const checksFile = `${name}.cjs`;

/** @returns {Promise<{ beside: import('esbuild').Plugin, inside: import('esbuild').Plugin }>} */
export async function madeAhead() {
  const modules = await checkModules();
  /** @type {typeof import('./core/api/job-schema.ts')} */
  const { jobRequest } = await exportsOf('core/api/job-schema.ts');
  /** @type {(building: import('esbuild').PluginBuild, load: string, found?: () => void) => void} */
  const replace = (building, load, found = () => undefined) => {
    building.onLoad({ filter: /[\\/]serve[\\/]checks\.ts$/ }, () => {
      found();
      return {
        contents: `import { createRequire } from 'node:module';
          let all;
          export const checkOf = name => (all ??= ${load})[name];`,
        resolveDir: root,
      };
    });
    building.onLoad({ filter: /[\\/]api[\\/]job-schema\.ts$/ }, () => ({
      contents: `export const jobRequest = ${JSON.stringify(jobRequest)};`,
    }));
  };
  return {
    beside: {
      name,
      setup(building) {
        let checked = false;
        replace(building, `createRequire(import.meta.url)('./${checksFile}')`, () => {
          checked = true;
        });
        building.onEnd(async () => {
          if (checked) await writeChecks(modules, `${building.initialOptions.outdir}/${checksFile}`);
        });
      },
    },
    inside: {
      name,
      setup(building) {
        replace(building, `require('${name}:all')`);
        allChecks(modules).setup(building);
      },
    },
  };
}
