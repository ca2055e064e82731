/** What the report shows of things that look alike: proposed merges, near-duplicates, and the curve of the classes' number. */
import { expect, test } from 'vitest';
import { reportPage } from '#core/pages/report';
import { reportData } from './report-data.ts';

const base = reportData({ classes: 12 });
const page = reportPage(base);

test('a merge shows pictures of both classes and the commands for one and for all', () => {
  expect(page).toContain('<code>selflabel classes merge harbour-2026 --proposed</code>');
  expect(page).toContain('<code>selflabel classes merge harbour-2026 1 3</code>');
  expect(page).toContain('<a href="#merges">2 merges proposed</a>');
  expect(page).toContain('1 more proposal in <code>merges.json</code>');
  const part = page.slice(page.indexOf('>Proposed merges'));
  const links = [...part.matchAll(/<a href="([^"]*)"><span class="t">/g)].map(([, href]) => href);
  expect(links.slice(0, 6)).toEqual(['#class-1', '#class-1', '#class-1', '#class-3', '#class-3', '#class-3']);
});

test('near-duplicates say the rule, what is shown of how many, and where the rest is', () => {
  const section = page.slice(page.indexOf('<section id="near-duplicates"'), page.indexOf('<section id="foreground"'));
  expect(section).toContain('8 pictures in 3 groups look almost the same');
  expect(section).toContain('cosine of 0.98 or more');
  expect(section).toContain('3 shown');
  expect(section).toContain('1 more group; all of them are in <code>near-duplicates.csv</code>');
  const none = { groups: [], total: { groups: 0, images: 0 }, above: 0.98 };
  expect(reportPage({ ...base, nearDuplicates: none })).toContain('There are none.');
});

test('the curve marks the chosen number on a logarithmic axis', () => {
  expect(page).toContain('Why 12 classes');
  expect(page).toContain('aria-label="Score by number of classes: 12 were chosen, with a score of 0.24."');
  // 6, 12, 24: the middle of the axis.
  expect(page).toContain('<i class="threshold" style="left:50.00%"></i>');
  expect(reportPage({ ...base, choice: null })).not.toContain('Why ');
  expect(reportPage({ ...base, choice: { clusters: 2, curve: [] } })).not.toContain('Why 2');
});

test('nothing to merge, nothing shown', () => {
  const page = reportPage({ ...base, merges: { groups: [], total: 0, above: 0.5 } });
  expect(page).not.toContain('Proposed merges');
});
