/** The pace of decoding and model under a clock that the test moves. */
import { expect, test } from 'vitest';
import { boundOf, Pace, type PaceSummary } from '#pipeline/pace';

/** Moves the clock; what was started ends when the test says so. */
function world(threads: number, sessions: number, device = 'cpu') {
  let now = 1000;
  const refuse = () => Promise.reject(new Error('no model is needed'));
  const models = { device, load: refuse, train: refuse };
  const pace = new Pace({ clock: { now: () => now }, tuning: { threads }, models }, sessions);
  const start = (kind: 'decode' | 'model') => {
    let end = () => {};
    const done = pace.during(kind, () => new Promise<void>(resolve => (end = resolve)));
    return async () => {
      end();
      await done;
    };
  };
  return {
    pace,
    start,
    pass: (milliseconds: number) => {
      now += milliseconds;
    },
  };
}

test('one after the other: each side’s time is its own, and the model waits while pictures are decoded', async () => {
  const { pace, start, pass } = world(1, 1);
  for (let image = 0; image < 3; image++) {
    const decoded = start('decode');
    pass(40);
    await decoded();
    const ran = start('model');
    pass(10);
    await ran();
    pass(500);
  }
  expect(pace.summary()).toEqual({
    decoded: 3,
    decodeSeconds: 0.12,
    modelRuns: 3,
    modelSeconds: 0.03,
    modelWaitedSeconds: 0.12,
    picturesWaitedSeconds: 0,
  });
  expect(boundOf([pace.summary()])).toEqual({
    by: 'decode',
    decodeSeconds: 0.12,
    modelSeconds: 0.03,
    decodeRate: 25,
    modelRate: 100,
  });
});

test('on a processor both share the threads; on a device they do not', async () => {
  for (const [device, decodeSeconds, modelSeconds] of [
    ['cpu', 0.05, 0.05],
    ['cuda', 0.1, 0.1],
  ] as const) {
    const { pace, start, pass } = world(1, 1, device);
    const [decoded, ran] = [start('decode'), start('model')];
    pass(100);
    await decoded();
    await ran();
    expect(pace.summary()).toMatchObject({ decodeSeconds, modelSeconds, modelWaitedSeconds: 0 });
  }
});

test('more than threads and sessions can hold only waits in line', async () => {
  const { pace, start, pass } = world(2, 2);
  const ends = ['model', 'model', 'model', 'model'].map(kind => start(kind as 'model'));
  pass(30);
  for (const end of ends) await end();
  expect(pace.summary()).toMatchObject({ modelRuns: 4, modelSeconds: 0.03, picturesWaitedSeconds: 0.03 });
});

test('work that fails counts too, and a clock that is set back takes nothing away', async () => {
  const { pace, start, pass } = world(1, 1);
  const failed = pace.during('decode', () => Promise.reject(new Error('broken file')));
  await expect(failed).rejects.toThrow('broken file');
  const ran = start('model');
  pass(-5000);
  await ran();
  expect(pace.summary()).toMatchObject({ decoded: 1, modelRuns: 1, modelSeconds: 0 });
  expect(boundOf([pace.summary()])).toBeNull();
});

test('shards add up; within a quarter of each other neither limits', () => {
  const shard = (decodeSeconds: number, modelSeconds: number): PaceSummary => ({
    decoded: 12,
    decodeSeconds,
    modelRuns: 10,
    modelSeconds,
    modelWaitedSeconds: 0,
    picturesWaitedSeconds: 0,
  });
  expect(boundOf([shard(1, 1), shard(1, 1.4)])).toMatchObject({ by: 'balanced', decodeRate: 12, modelSeconds: 2.4 });
  expect(boundOf([shard(1, 2), shard(1, 3)])).toMatchObject({ by: 'model', modelRate: 4 });
  expect(boundOf([])).toBeNull();
});
