/** Puts together what the API's function is made of, without Docker: its bundle, and of two packages what Linux on x86-64 needs. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Packages of the function, and which of their files it needs where not all. */
const packages: readonly { name: string; files?: readonly string[] }[] = [
  { name: 'onnxruntime-node', files: ['package.json', 'dist', 'bin/napi-v6/linux/x64'] },
  { name: 'onnxruntime-common', files: ['package.json', 'dist/cjs'] },
  { name: 'sharp', files: ['package.json', 'dist', 'lib'] },
  { name: '@img/sharp-linux-x64' },
  { name: '@img/sharp-libvips-linux-x64' },
  { name: '@img/colour' },
  { name: 'detect-libc' },
  { name: 'semver' },
];

/** In dist/functions. */
const bundled = [
  ...['api.mjs', 'session-worker.mjs', 'pixel-worker.mjs'],
  ...['checks.cjs', 'onnxruntime-node.cjs', 'sharp.cjs'],
];

/** Not needed to run. */
const chaff = /(\.map|\.md|\.d\.[cm]?ts|\.ts|LICENSE|CHANGELOG)$|\/(test|src|include)(\/|$)|providers/;

/**
 * @param root the project, with node_modules and dist/functions
 * @param target a folder that is made anew
 */
export function stageApi(root: string, target: string): void {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const file of bundled) cpSync(join(root, 'dist/functions', file), join(target, file));
  const modules = linuxModules(root);
  for (const { name, files = ['.'] } of packages) {
    for (const file of files) {
      const from = join(modules(name), file);
      cpSync(from, join(target, 'node_modules', name, file), {
        recursive: true,
        dereference: true,
        filter: path => !chaff.test(path.slice(from.length)),
      });
    }
  }
}

/** Where a package lies: here, or, on another kind of machine, installed for Linux beside the project. */
function linuxModules(root: string): (name: string) => string {
  const here = join(root, 'node_modules');
  if (packages.every(({ name }) => existsSync(join(here, name)))) return name => join(here, name);
  const { version } = JSON.parse(readFileSync(join(here, 'sharp/package.json'), 'utf8')) as { version: string };
  const place = mkdtempSync(join(tmpdir(), 'selflabel-linux-'));
  const target = ['--os=linux', '--cpu=x64', '--libc=glibc', '--ignore-scripts', '--no-save', '--prefix', place];
  execFileSync('npm', ['install', ...target, `sharp@${version}`], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  const there = join(place, 'node_modules');
  return name => join(existsSync(join(there, name)) ? there : here, name);
}
