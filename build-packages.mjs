/**
 * For the build: packages with native parts are hundreds of small files around one library. Their scripts go into the bundle,
 * which starts in a fraction of the time; the libraries stay where npm put them.
 */
import { readFile } from 'node:fs/promises';

/** Asked for at run time, as in the source. */
const asked = /createRequire\(import\.meta\.url\)\('(sharp|onnxruntime-node)'\)/g;

/** Which file of a package looks for its library, and how. */
const seekers = {
  sharp: {
    file: /[\\/]sharp[\\/]dist[\\/](sharp|utility|libvips)\.cjs$/,
    seeks: /require\((?=["'`](?:\.\.\/src|@img)\/)/g,
  },
  'onnxruntime-node': { file: /[\\/]onnxruntime-node[\\/]dist[\\/]binding\.js$/, seeks: /require\((?=`\.\.\/bin\/)/g },
};

/** @type {(file: string, change: (text: string) => string) => Promise<import('esbuild').OnLoadResult>} */
const changed = async (file, change) => ({ contents: change(await readFile(file, 'utf8')), loader: 'default' });

/** @returns {import('esbuild').Plugin} */
export const packagesInside = () => ({
  name: 'packages',
  setup(building) {
    building.onLoad({ filter: /[\\/](photo-loaders\.ts|session-worker\.mjs)$/ }, ({ path }) =>
      changed(path, text => text.replace(asked, "require('$1')")),
    );
    for (const [name, { file, seeks }] of Object.entries(seekers)) {
      // As if asked for by the package's own file, which lies elsewhere.
      const own = `const here = require; const fromPackage = require('node:module').createRequire(here.resolve('${name}'));`;
      building.onLoad({ filter: file }, ({ path }) => changed(path, text => own + text.replace(seeks, 'fromPackage(')));
    }
  },
});
