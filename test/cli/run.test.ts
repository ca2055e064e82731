/** What `run` says at its end. */
import { expect, test } from 'vitest';
import { describeRun } from '../../cli/run.ts';
import type { RunSummary } from '../../cli/run-summary.ts';

const summary: RunSummary = {
  out: 'result',
  images: { total: 5, labelled: 3, empty: 1, duplicate: 0, rejected: 1 },
  clusters: 2,
  threshold: 0.1,
  seconds: { total: 61.4 },
  imagesPerSecond: { embed: 50, label: 40 },
  bound: { by: 'model', decodeSeconds: 1, modelSeconds: 2, decodeRate: 178.02, modelRate: 89 },
  peakMemoryBytes: 4e8,
  report: 'result/report/index.html',
  model: 'result/model',
  metrics: null,
};

test('whether decoding or the model was the limit, with what each could do alone', () => {
  expect(describeRun(summary).split('\n')).toEqual([
    '5 inputs: 3 labelled, 1 empty, 0 duplicate, 1 rejected',
    '2 classes in 61 s; label maps in result/labels',
    'model-bound: alone, decoding would do 178.0 images/s and the model 89.0',
    'report: result/report/index.html',
    '',
  ]);
  const bound = { ...summary.bound!, by: 'decode' as const };
  expect(describeRun({ ...summary, bound })).toContain('\ndecode-bound: alone,');
});

test('nothing where it could not be measured', () => {
  expect(describeRun({ ...summary, bound: null })).not.toContain('alone');
});
