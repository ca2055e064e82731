/** The loss curves of the report. */
import { expect, test } from 'vitest';
import { reportPage } from '#core/pages/report';
import { reportData } from './report-data.ts';

const base = reportData({ classes: 3 });
const training = {
  title: 'Fine-tuning <head>',
  losses: Array.from({ length: 400 }, (_, i) => 4 - i / 200),
  facts: [['steps', '400']] as const,
};

test('a curve is drawn of stretches of steps, and told in words', () => {
  const page = reportPage({ ...base, training: [training] });
  expect(page).toContain('href="#training"');
  expect(page).toContain('Fine-tuning &lt;head&gt;');
  // Means of the first four and the last four steps.
  expect(page).toContain('Loss of 400 steps, from 3.99 to 2.01.');
  expect(
    page
      .match(/<polyline points="([^"]*)"/g)!
      .at(-1)!
      .split(' ').length,
  ).toBe(101);
});

test('without a training there is no such section', () => {
  expect(reportPage(base)).not.toContain('id="training"');
});

test('one step is a curve too', () => {
  expect(reportPage({ ...base, training: [{ ...training, losses: [0.5] }] })).toContain(
    'Loss of 1 steps, from 0.50 to 0.50',
  );
});
