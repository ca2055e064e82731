/** Runs every example of docs/api.md as it stands there, against a service with a model and a place for jobs. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { openApi } from '#core/api/openapi';
import { closesApi } from '../pipeline/serve/api-world.ts';
import { painting, publishSmall } from '../pipeline/serve/small-model.ts';
import { scratchRoom } from '../scratch-rooms.ts';
import { servedWorld } from './served.ts';

closesApi();
const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(`${root}docs/api.md`, 'utf8');

interface Example {
  readonly language: string;
  /** Shown to end in a problem. */
  readonly problem: boolean;
  readonly heading: string;
  readonly code: string;
}

const examples: Example[] = [...page.matchAll(/^```(sh|ts|python)( problem)?\n([\s\S]*?)^```/gm)].map(match => ({
  language: match[1]!,
  problem: match[2] !== undefined,
  heading: [...page.slice(0, match.index).matchAll(/^##+ (.*)$/gm)].at(-1)![1]!,
  code: match[3]!,
}));

const works = async (program: string) =>
  run(program, ['--version']).then(
    () => true,
    () => false,
  );
const present: Record<string, boolean> = { sh: await works('curl'), python: await works('python3'), ts: true };

/** How a file of the language is run. */
const commands: Record<string, (file: string) => [string, string[]]> = {
  sh: file => ['sh', ['-e', file]],
  python: file => ['python3', [file]],
  ts: file => [process.execPath, ['--import', `${root}node_modules/tsx/dist/esm/index.mjs`, file]],
};

describe('examples of docs/api.md', () => {
  const { world, address } = servedWorld({}, own => ({
    imageBucket: name => (name === 'my-bucket' ? own() : undefined),
  }));
  const room = scratchRoom();
  beforeAll(async () => {
    mkdirSync(join(room, 'node_modules'));
    symlinkSync(root, join(room, 'node_modules/selflabel'));
    const { data, width, height } = painting(['rg.', 'b..'], 24);
    const photo = await sharp(data, { raw: { width, height, channels: 3 } })
      .jpeg()
      .toBuffer();
    writeFileSync(join(room, 'photo.jpg'), photo);
    await world.store.put('photos/photo.jpg', photo);
    await publishSmall(world.store);
  });

  test('there are some in each language', () => {
    expect(Object.keys(present).map(name => examples.filter(one => one.language === name).length > 3)).toEqual([
      true,
      true,
      true,
    ]);
  });

  for (const [at, { language, problem, heading, code }] of examples.entries()) {
    const reason = present[language] ? '' : ` (skipped: no ${language === 'sh' ? 'curl' : 'python3'} here)`;
    test.skipIf(!present[language]).concurrent(`${heading}, ${language}${reason}`, async () => {
      const file = join(room, `example-${at}.${language === 'ts' ? 'mts' : language}`);
      writeFileSync(file, code.replaceAll('http://localhost:8080', address()));
      const [program, words] = commands[language]!(file);
      const { stdout, stderr } = await run(program, words, { cwd: room });
      expect(stderr).toBe('');
      expect(stdout.includes('"type":"/problems/'), stdout).toBe(problem);
      expect(stdout.length > 0 || /-o /.test(code)).toBe(true);
    });
  }

  test('every parameter and every status of the description stands in its table', () => {
    const operation = openApi('test').paths['/v1/segment']!.post!;
    const rows = [...page.matchAll(/^\| (.+?) \|/gm)].map(match => match[1]!);
    for (const { name } of operation.parameters!) expect(rows).toContain(`\`${name}\``);
    for (const status of Object.keys(operation.responses).filter(code => code >= '400')) {
      expect(
        rows.some(row => row.split(', ').includes(status)),
        status,
      ).toBe(true);
    }
  });
});
