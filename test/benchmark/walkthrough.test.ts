/** The commands of docs/benchmark.md, run one after another on a small copy of the data's layout. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { start } from '../command-line.ts';
import { writeSmallImageNetS } from './small-imagenet-s.ts';

const folder = mkdtempSync(join(tmpdir(), 'selflabel-benchmark-'));
afterAll(() => rmSync(folder, { recursive: true }));

const page = readFileSync(new URL('../../docs/benchmark.md', import.meta.url), 'utf8');
const commands = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) => block!.trim().split('\n'));

/** What the small copy needs in place of what the page has. */
const small = (command: string) =>
  command
    .replace('network.onnx', 'filter-bank')
    .replace('--clusters 50', '--clusters 3 --restarts 2')
    .replace('--classes 50', '--classes 3')
    .replace('train finetune', 'train finetune --finetune head --train-epochs 2')
    .replace('8080', '0');

const method = [
  'Method name: discs',
  'Training data: S50',
  'Training scheme: SSL',
  'Networks: filter bank',
  'Paper/Project link: none',
  'Method description: a test',
];

beforeAll(async () => {
  const hidden = await writeSmallImageNetS(join(folder, 'ImageNetS50'));
  for (const [name, mask] of hidden) {
    mkdirSync(dirname(join(folder, 'hidden/masks', name)), { recursive: true });
    writeFileSync(join(folder, 'hidden/masks', name), mask);
  }
  writeFileSync(join(folder, 'hidden/categories.txt'), '1\tgoldfish\n2\ttiger shark\n3\tgoldfinch\n');
  writeFileSync(join(folder, 'parents.json'), '{"n01443537": "fish", "n01491361": "fish", "fish": "animal"}');
  writeFileSync(join(folder, 'method.txt'), `${method.join('\n')}\n`);
});

describe('docs/benchmark.md', () => {
  it('runs, command by command', { timeout: 300_000 }, async () => {
    const said = new Map<string, string>();
    for (const command of commands.filter(line => !/leaderboard serve|^curl/.test(line))) {
      expect(command).toMatch(/^selflabel /);
      const { code, out, err } = await start(small(command).split(' ').slice(1), folder).outcome;
      expect([code, code === 0 ? '' : err], command).toEqual([0, '']);
      const name = command.split(' ').slice(1, 3).join(' ');
      said.set(name, (said.get(name) ?? '') + out);
    }
    expect(said.get('benchmark check')).toContain('3 classes');
    expect(said.get('evaluate --predictions')).toContain('6 images, 3 classes');
    expect(said.get('evaluate distance')).toMatch(/6 images, 3 classes, matching: none[\s\S]*3 labelled/);
    expect(said.get('train finetune')).toContain('6 photos with masks, 3 classes');
    expect(said.get('submission pack')).toContain('5 files');
    expect(said.get('submission check')).toContain('"discs", 3 label maps of cluster ids');
    expect(readFileSync(join(folder, 'ImageNetS50/categories.txt'), 'utf8')).toContain('1\tn01443537\n');
    const { hierarchy } = JSON.parse(readFileSync(join(folder, 'levels.json'), 'utf8'));
    expect(hierarchy).toMatchObject([{ classes: 2 }, { classes: 2 }]);
    expect(Object.keys(JSON.parse(readFileSync(join(folder, 'result/match.json'), 'utf8')))).toEqual([
      '0',
      '1',
      '2',
      '3',
    ]);
    const metrics = JSON.parse(readFileSync(join(folder, 'result/validation/metrics.json'), 'utf8'));
    expect(metrics.foregroundIou).toBeGreaterThan(0.5);
    await serveAndSend();
  });
});

/** The last two commands: the service, and a zip sent to it. */
async function serveAndSend(): Promise<void> {
  const serving = commands.find(line => line.includes('leaderboard serve'))!;
  const { child, outcome } = start(small(serving).split(' ').slice(1), folder);
  try {
    const address = await new Promise<string>(resolve =>
      child.stdout!.once('data', text => resolve(String(text).trim())),
    );
    const sent = commands.find(line => line.startsWith('curl -T'))!;
    const target = sent.split(' ').at(-1)!.replace('http://127.0.0.1:8080/', address);
    const put = async () => {
      const answer = await fetch(target, { method: 'PUT', body: readFileSync(join(folder, 'team-first.zip')) });
      return { status: answer.status, ...((await answer.json()) as { state: string; reason?: string }) };
    };
    expect(await put()).toMatchObject({ status: 200, state: 'scored' });
    expect(await put()).toMatchObject({ status: 429, reason: expect.stringContaining('the same file came on') });
    const shown = await (await fetch(address)).text();
    expect(shown).toContain('<th scope="row" title="a test">discs</th><td>team</td>');
    const table = await (await fetch(`${address}leaderboard/unsupervised-50.json`)).json();
    expect(table).toMatchObject({ entries: [{ submitter: 'team', scores: { miou: expect.any(Number) } }] });
  } finally {
    child.kill();
    await outcome;
  }
}
