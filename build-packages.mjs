/**
 * For the build: packages with native parts are hundreds of small files around one library. Their scripts become one file each
 * beside the bundle, read in a fraction of the time and not before they are needed; the libraries stay where npm put them.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('.', import.meta.url));

/** Which files of a package look for its library, and where they do. */
const packages = {
  sharp: {
    files: /[\\/]sharp[\\/]dist[\\/](sharp|utility|libvips)\.cjs$/,
    seeks: /require\((?=["'`](\.\.\/src|@img)\/)/g,
  },
  'onnxruntime-node': { files: /[\\/]onnxruntime-node[\\/]dist[\\/]binding\.js$/, seeks: /require\((?=`\.\.\/bin\/)/g },
};

/** How our sources ask for them. */
const asked = /createRequire\(import\.meta\.url\)\('(sharp|onnxruntime-node)'\)/g;

/** Modules of ours among those of a package. */
const own = {
  /** @param {string} name asks for files as the package would, from where that lies */
  seek: name => `
    const here = require;
    let ask;
    module.exports = file => (ask ??= here('node:module').createRequire(here.resolve('${name}')))(file);`,
  // Packages name it at their start and use it when something is wrong; loading it takes as long as their library.
  children: () => `
    const call = name => (...given) => require('node:child_process')[name](...given);
    module.exports = Object.fromEntries(['exec', 'execSync', 'spawn', 'spawnSync'].map(name => [name, call(name)]));`,
};

const names = /** @type {(keyof typeof packages)[]} */ (Object.keys(packages));

/** @type {import('esbuild').Plugin} */
const seekingFromPackages = {
  name: 'seeking',
  setup(building) {
    for (const name of names) {
      const { files, seeks } = packages[name];
      building.onLoad({ filter: files }, async ({ path }) => ({
        contents: (await readFile(path, 'utf8')).replace(seeks, `require('own:seek:${name}')(`),
        loader: 'js',
      }));
    }
    building.onResolve({ filter: /^own:/ }, ({ path }) => ({ path: path.slice('own:'.length), namespace: 'own' }));
    building.onResolve({ filter: /^(node:)?child_process$/ }, ({ namespace, importer }) => {
      if (namespace === 'own') return { external: true };
      return importer.includes('node_modules') ? { path: 'children', namespace: 'own' } : undefined;
    });
    building.onLoad({ filter: /./, namespace: 'own' }, ({ path }) => {
      const [kind, name = ''] = path.split(':');
      return { contents: own[/** @type {keyof typeof own} */ (kind)](name) };
    });
  },
};

/** @type {(name: keyof typeof packages, outdir: string) => Promise<unknown>} */
const writeBeside = (name, outdir) =>
  build({
    stdin: { contents: `module.exports = require('${name}');`, resolveDir: root },
    outfile: `${outdir}/${name}.cjs`,
    bundle: true,
    minify: true,
    platform: 'node',
    target: 'node20.19',
    logLevel: 'warning',
    plugins: [seekingFromPackages],
  });

/**
 * The same within the bundle, where that is kept in compiled form.
 * @returns {import('esbuild').Plugin}
 */
export const packagesInside = () => ({
  name: 'packages',
  setup(building) {
    building.onLoad({ filter: /[\\/](photo-loaders\.ts|onnx-runtime\.ts|session-worker\.mjs)$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replace(asked, "require('$1')"),
      loader: 'default',
    }));
    seekingFromPackages.setup(building);
  },
});

/** @returns {import('esbuild').Plugin} */
export const packagesBeside = () => ({
  name: 'packages',
  setup(building) {
    building.onLoad({ filter: /[\\/](photo-loaders\.ts|session-worker\.mjs)$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replace(asked, "createRequire(import.meta.url)('./$1.cjs')"),
      loader: 'default',
    }));
    building.onEnd(async () => {
      const { outdir = '.' } = building.initialOptions;
      await Promise.all([writeBeside('sharp', outdir), writeBeside('onnxruntime-node', outdir)]);
    });
  },
});
