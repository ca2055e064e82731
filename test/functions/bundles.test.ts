/** The functions as they are deployed: small files that need nothing Lambda does not bring. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { functionNames, functions } from '#pipeline/settings';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe.each(functionNames)('the function %s', name => {
  const bundle = `${root}dist/functions/${name}.mjs`;

  it('is one file below 1 MB', () => expect(statSync(bundle).size).toBeLessThan(1_000_000));

  it('needs the AWS clients, and the layer if it reads pictures', () => {
    const text = readFileSync(bundle, 'utf8');
    const imports = [...text.matchAll(/\bfrom\s*"([@a-z][\w@/:-]*)"/g)].map(([, specifier]) => specifier!);
    expect(imports).toContain('@aws-sdk/client-s3');
    const others = imports.filter(one => !one.startsWith('node:') && !one.startsWith('@aws-sdk/client-'));
    expect(others).toEqual([]);
    // By `require`, which finds what lies in a layer.
    expect(/\(import\.meta\.url\)\("sharp"\)/.test(text)).toBe(functions[name].pictures);
  });

  it('has a door of at most 40 lines', () =>
    expect(readFileSync(`${root}functions/${name}.ts`, 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(40));
});

it('the layer holds what decodes pictures on Linux, or says what is missing', () => {
  const layer = `${root}dist/layers/sharp`;
  const libraries = ['sharp', '@img/sharp-linux-x64', '@img/sharp-libvips-linux-x64', 'detect-libc', 'semver'];
  const whole = libraries.every(name => existsSync(`${layer}/nodejs/node_modules/${name}/package.json`));
  expect(whole).not.toBe(existsSync(`${layer}/MISSING`));
});
