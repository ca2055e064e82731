/** Sudden death at any moment, then the same command: the same bytes as if nothing had happened. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { Random } from '#core/random';
import { writeSceneFolder } from '../cli/scene-folder.ts';
import { done, selflabel, smallRun, start } from './command-line.ts';
import { readJsonFile, resultBytes } from './result-folder.ts';
import { scratchRoom } from './scratch-rooms.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

const room = scratchRoom();
const world = join(room, 'scenes');
const command = (out: string) => smallRun(join(world, 'images'), out, '--masks', join(world, 'masks'));
/** The lock belongs to a process, the rest to the folder. */
const undisturbed = join(room, 'undisturbed');
let expected: Record<string, string>;
let seconds = 0;

beforeAll(async () => {
  await writeSceneFolder(new SharpCodec(), world, 9, 5);
  const before = performance.now();
  await done(...command(undisturbed));
  seconds = (performance.now() - before) / 1000;
  expected = resultBytes(undisturbed);
});

/** Starts the command and kills it as soon as `when` says so. @returns whether it was killed before it ended */
async function killWhen(out: string, when: () => boolean | Promise<boolean>, signal: NodeJS.Signals = 'SIGKILL') {
  const { child, outcome } = start(command(out));
  let over = false;
  void outcome.then(() => {
    over = true;
  });
  while (!over && !(await when())) await pause(2);
  child.kill(signal);
  return outcome;
}

const after = (milliseconds: number) => {
  const end = performance.now() + milliseconds;
  return () => performance.now() >= end;
};

/** Every moment at which a piece has just been finished, and those of the copying at the end. */
const moments = [
  'jobs/local/plan.json',
  'jobs/local/state.json',
  'jobs/local/attend/*.onnx',
  'jobs/local/done/attend/*-head.json',
  'jobs/local/embed/*.npy',
  'jobs/local/done/embed/*.json',
  'jobs/local/done/embed/*-near-duplicates.json',
  'jobs/local/done/cluster/*-catalog.json',
  'jobs/local/done/cluster/*-restart-000.json',
  'jobs/local/done/cluster/*-best.json',
  'jobs/local/label/*.tar',
  'jobs/local/done/label/*.json',
  'jobs/local/done/evaluate/*-000000.json',
  'jobs/local/done/evaluate/*-pixels.json',
  'models/selflabel/*/card.json',
  'jobs/local/report/thumbnails/00002.jpg',
  'models/selflabel/current.json',
  'jobs/local/done/publish/*.json',
  'labels/0003.png',
  'model/model.onnx',
  'clusters.csv',
  'merges.json',
  'receipt.json',
  'report/index.html',
] as const;

/** Whether a file of this name is there; `*` stands for anything within one name. */
function isThere(folder: string, pattern: string): boolean {
  const at = pattern.indexOf('*');
  if (at < 0) return existsSync(join(folder, pattern));
  const slash = pattern.lastIndexOf('/', at);
  const rest = pattern.slice(slash + 1);
  const end = rest.indexOf('/');
  const name = new RegExp(`^${(end < 0 ? rest : rest.slice(0, end)).replaceAll('.', '\\.').replace('*', '.*')}$`);
  const above = join(folder, pattern.slice(0, slash));
  const found = existsSync(above) ? readdirSync(above).filter(one => name.test(one)) : [];
  return end < 0 ? found.length > 0 : found.some(one => existsSync(join(above, one, rest.slice(end + 1))));
}

describe('kill -9', () => {
  it(`right after each of ${moments.length} writes, one after another`, async () => {
    const out = join(room, 'moments');
    let killed = 0;
    for (const moment of moments) {
      const { code } = await killWhen(out, () => isThere(out, moment));
      expect(isThere(out, moment), moment).toBe(true);
      if (code === null) killed++;
    }
    expect(killed).toBeGreaterThan(moments.length / 2);
    await done(...command(out));
    expect(resultBytes(out)).toEqual(expected);
  });

  it.each([11, 22])('four times at moments drawn by seed %i', async seed => {
    const random = new Random(seed);
    const out = join(room, `seed ${seed}`);
    for (let i = 0; i < 4; i++) {
      const wait = random.uniform() * 0.7 * seconds * 1000;
      await killWhen(out, after(wait));
    }
    await done(...command(out));
    expect(resultBytes(out)).toEqual(expected);
  });

  it('in a run with other settings does not spoil the first ones', async () => {
    const out = join(room, 'two settings');
    await done(...command(out));
    const stamp = join(out, 'jobs', 'local', 'collected.json');
    const before = readFileSync(stamp, 'utf8');
    const { child, outcome } = start([...command(out).map(word => (word === '3' ? '2' : word)), '--threads', '1']);
    while (child.exitCode === null && readFileSync(stamp, 'utf8') === before) await pause(1);
    child.kill('SIGKILL');
    expect((await outcome).code).toBeNull();
    await done(...command(out));
    expect(resultBytes(out)).toEqual(expected);
  });
});

describe('the folder belongs to one process', () => {
  it('refuses a second one while the first lives, naming it, and is free when that is gone', async () => {
    const out = join(room, 'shared');
    const first = start(command(out));
    while (!existsSync(join(out, 'jobs', 'local', 'plan.json'))) await pause(5);
    const second = await selflabel(...command(out));
    first.child.kill('SIGKILL');
    await first.outcome;
    expect(second).toMatchObject({ code: 1, out: '' });
    expect(second.err).toMatch(new RegExp(`^selflabel: .*process ${first.child.pid} .*\n$`));
    expect(readJsonFile<{ pid: number }>(out, '.selflabel', 'lock').pid).toBe(first.child.pid);
    await done(...command(out));
    expect(resultBytes(out)).toEqual(expected);
    expect(existsSync(join(out, '.selflabel', 'lock'))).toBe(false);
  });
});

describe('Ctrl-C', () => {
  it('ends by its signal, 130 to a shell, and one line, and the same command goes on', async () => {
    const out = join(room, 'interrupted');
    const { signal, err } = await killWhen(out, () => isThere(out, 'jobs/local/done/attend/*.json'), 'SIGINT');
    expect(signal).toBe('SIGINT');
    expect(err).toMatch(/interrupted; the same command again resumes\n$/);
    expect(err).not.toMatch(/\n\s+at /);
    const attended = join(out, 'jobs', 'local', 'done', 'attend');
    const marker = readFileSync(join(attended, readdirSync(attended)[0]!), 'utf8');
    await done(...command(out));
    expect(readFileSync(join(attended, readdirSync(attended)[0]!), 'utf8')).toBe(marker);
    expect(resultBytes(out)).toEqual(expected);
  });
});
