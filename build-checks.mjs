/** For the build: the checks of `pipeline/serve/checks` as code, so that no program compiles them when it starts. */
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import standaloneCode from 'ajv/dist/standalone/index.js';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('.', import.meta.url));
const require = createRequire(import.meta.url);
const name = 'checks';

/** What each compiler knows, as a module in CommonJS that exports every check by its name. */
async function checkModules() {
  const file = `${root}dist/${name}.mjs`;
  const source = { entryPoints: [`${root}pipeline/serve/checks.ts`], outfile: file };
  await build({ ...source, bundle: true, format: 'esm', platform: 'node', packages: 'external' });
  /** @type {typeof import('./pipeline/serve/checks.ts')} */
  const { compilers } = await import(pathToFileURL(file).href);
  rmSync(file);
  return compilers({ source: true }).map(({ ajv, schemas }) => standaloneCode.default(ajv, schemas));
}

/** @returns {Promise<import('esbuild').Plugin>} puts them in the place of the file that compiles them */
export async function checksAhead() {
  const modules = await checkModules();
  const all = modules.map((_, i) => `...require('${name}:${i}')`);
  return {
    name,
    setup(building) {
      building.onLoad({ filter: /[\\/]serve[\\/]checks\.ts$/ }, () => ({
        contents: `const all = { ${all} };\nexport const checkOf = name => all[name];`,
        resolveDir: root,
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
