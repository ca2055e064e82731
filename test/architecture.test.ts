/** The walls between the rooms, read from the imports themselves. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const rooms = ['client', 'core', 'pipeline', 'adapters', 'functions', 'gpu-tasks', 'infra', 'cli'] as const;
type Room = (typeof rooms)[number];

/** What each room may import. Packages by name; rooms by their `#` path. */
const allowed: Record<Room, (specifier: string, file: string) => boolean> = {
  client: () => false,
  core: specifier =>
    specifier.startsWith('#core/') || ['zod', 'zod/mini', 'zod/locales', 'ml-matrix'].includes(specifier),
  pipeline: (specifier, file) =>
    /^#(core|pipeline)\//.test(specifier) || specifier === 'zod' || mayValidate(specifier, file),
  adapters: (specifier, file) =>
    /^#core\/|^#pipeline\/(ports|settings)$/.test(specifier) || adapterPackage(specifier, file),
  functions: specifier => /^#(core|pipeline|adapters)\//.test(specifier),
  infra: specifier =>
    /^#core\/(job|api)\/|^#pipeline\/(api-)?settings$/.test(specifier) ||
    /^(aws-cdk-lib|constructs|cdk-nag|zod)(\/|$)|^node:/.test(specifier),
  'gpu-tasks': specifier => /^#(core|pipeline|adapters)\//.test(specifier) || specifier === 'node:os',
  cli: specifier =>
    /^#(core|pipeline|adapters)\//.test(specifier) || specifier.startsWith('node:') || specifier === 'commander',
};

/** JSON Schema is compiled in one file. */
const mayValidate = (specifier: string, file: string) =>
  specifier === 'ajv/dist/2020.js' && file === 'pipeline/serve/checks.ts';

/** An adapter may use Node and the package it is named after. */
function adapterPackage(specifier: string, file: string): boolean {
  const packages: Record<string, string[]> = {
    aws: ['@aws-sdk/client-s3', '@aws-sdk/client-sqs', '@aws-sdk/s3-request-presigner'],
    http: [],
    local: [],
    onnxruntime: ['onnxruntime-node'],
    sharp: ['sharp'],
    zip: ['yauzl', 'yazl'],
  };
  return specifier.startsWith('node:') || packages[file.split('/')[1]!]!.includes(specifier);
}

interface Import {
  readonly file: string;
  readonly specifier: string;
}

function* filesUnder(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesUnder(path);
    else if (/\.(ts|mjs)$/.test(entry.name)) yield path;
  }
}

/** Static and dynamic imports and re-exports. */
function importsOf(path: string): Import[] {
  const text = withoutText(readFileSync(path, 'utf8'));
  const file = relative(root, path);
  const statements =
    /^(?:import|export)\s[^'"`;]*?\bfrom\s+['"]([^'"]+)['"]|^import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;
  return [...text.matchAll(statements)].map(match => ({ file, specifier: (match[1] ?? match[2] ?? match[3])! }));
}

describe('walls', () => {
  for (const room of rooms) {
    it(`${room} imports only what it may`, () => {
      const imports = [...filesUnder(join(root, room))].flatMap(importsOf);
      expect(imports.length).toBeGreaterThan(0);
      const crossings = imports.filter(({ specifier }) => !specifier.startsWith('.'));
      expect(crossings.filter(({ specifier, file }) => !allowed[room](specifier, file))).toEqual([]);
    });

    it(`relative paths in ${room} stay inside it`, () => {
      const leaving = [...filesUnder(join(root, room))]
        .flatMap(importsOf)
        .filter(({ specifier }) => specifier.startsWith('.'))
        .filter(({ file, specifier }) => !join(file, '..', specifier).startsWith(`${room}/`));
      expect(leaving).toEqual([]);
    });
  }

  it('adapters know no other adapter', () => {
    const crossings = [...filesUnder(join(root, 'adapters'))]
      .flatMap(importsOf)
      .filter(({ specifier }) => specifier.startsWith('.'))
      .filter(({ file, specifier }) => join(file, '..', specifier).split('/')[1] !== file.split('/')[1]);
    expect(crossings).toEqual([]);
  });
});

describe('core', () => {
  it('has no clock, no chance and no process of its own', () => {
    const worldly = /\b(Math\.random|Date\.now|new Date\(\)|performance\.now|process\.|console\.)/;
    const offenders = [...filesUnder(join(root, 'core'))].filter(path =>
      worldly.test(withoutText(readFileSync(path, 'utf8'))),
    );
    expect(offenders.map(path => relative(root, path))).toEqual([]);
  });
});

/** Source without comments and template texts: the report's page script may use what a browser has. */
const withoutText = (source: string): string =>
  source
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/`[\s\S]*?`/g, '``')
    .replace(/\/\/.*$/gm, '');

describe('rooms', () => {
  it('have no drawers', () => {
    const drawers = /(^|\/)(utils?|lib|common|types|helpers)(\/|\.ts$)/;
    const files = rooms.flatMap(room => [...filesUnder(join(root, room))]).map(path => relative(root, path));
    expect(files.filter(file => drawers.test(file))).toEqual([]);
  });

  it('have files that say their subject on the first line', () => {
    const files = rooms.flatMap(room => [...filesUnder(join(root, room))]);
    const silent = files.filter(path => !/^(#!.*\n)?\/\*\*/.test(readFileSync(path, 'utf8')));
    expect(silent.map(path => relative(root, path))).toEqual([]);
  });
});
