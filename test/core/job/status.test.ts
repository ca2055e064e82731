/** Progress in figures and in lines. */
import { expect, it } from 'vitest';
import type { Plan } from '#core/job/plan';
import { parseRequest } from '#core/job/request';
import { imagePasses, type JobStatus, rateOf } from '#core/job/status';
import { duration, statusText } from '../../../cli/status-text.ts';

const fingerprints = {
  plan: 'p',
  attend: '',
  embed: '',
  cluster: '',
  label: '',
  finetune: '',
  evaluate: '',
  publish: '',
};
const plan: Plan = {
  version: 1,
  job: 'j',
  request: parseRequest({ images: 'datasets/d/images/', masks: 'datasets/d/masks/' }),
  images: 600,
  shards: ['000000', '000001', '000002'],
  clusters: 2,
  fingerprints,
};

it('counts passes over images, the last shard as small as it is', () => {
  const done = new Set(['embed/000000', 'embed/000002', 'label/000001', 'embed/near-duplicates', 'attend/head']);
  expect(imagePasses(plan, done)).toEqual({ done: 256 + 88 + 256, total: 3 * 600 });
  const { masks: _, ...unmeasured } = plan.request;
  expect(imagePasses({ ...plan, request: unmeasured as Plan['request'] }, done).total).toBe(2 * 600);
});

it('knows the rate from two moments, and nothing from one', () => {
  expect(rateOf({ at: 1000, done: 100 }, { at: 11_000, done: 300 }, 500)).toEqual({
    imagesPerSecond: 20,
    secondsLeft: 10,
  });
  expect(rateOf({ at: 1000, done: 100 }, { at: 1000, done: 300 }, 500).imagesPerSecond).toBeNull();
  expect(rateOf({ at: 1000, done: 100 }, { at: 2000, done: 100 }, 500).secondsLeft).toBeNull();
});

it('is a bar per stage and a line of figures', () => {
  const status: JobStatus = {
    job: 'birds',
    stage: 'failed',
    error: 'the network is gone; upload it',
    images: 1_200_000,
    rejected: 1234,
    stages: [
      { stage: 'embed', done: 37, total: 37, failed: 0 },
      { stage: 'label', done: 18, total: 37, failed: 2 },
    ],
    seconds: 3700,
    imagesPerSecond: 512.3,
    secondsLeft: 90,
  };
  expect(statusText(status)).toBe(
    [
      'birds: failed, 1,200,000 images',
      `embed  ${'█'.repeat(24)}  37 of 37`,
      `label  ${'█'.repeat(11)}${'░'.repeat(13)}  18 of 37  2 failed`,
      '1,234 rejected so far, since 1 h 1 min, 512 image passes/s',
      'the network is gone; upload it',
      '',
    ].join('\n'),
  );
  const running = statusText({ ...status, stage: 'label', error: null });
  expect(running).toContain('512 image passes/s, 1 min 30 s until the last image is done\n');
  expect([duration(59.2), duration(60), duration(7322)]).toEqual(['1 min 0 s', '1 min 0 s', '2 h 2 min']);
});
