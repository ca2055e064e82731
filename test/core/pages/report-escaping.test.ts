import fc from 'fast-check';
import { expect, test } from 'vitest';
import { reportPage } from '#core/pages/report';
import type { ReportData } from '#core/pages/report-data';
import { type Markup, readMarkup } from './markup.ts';
import { reportData } from './report-data.ts';

/** Words that choose between sentences rather than being shown. */
const chosen = new Set(['group', 'source', 'by', 'kind', 'upsample']);

/** The same data with every string that is shown, named or linked replaced. */
function replaceStrings<T>(value: T, next: () => string, key = ''): T {
  if (typeof value === 'string') return (chosen.has(key) ? value : next()) as T;
  if (Array.isArray(value)) return value.map(item => replaceStrings(item, next, key)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, replaceStrings(item, next, name)])) as T;
}

/** Tags and names of attributes in order: what data must not change. */
const skeleton = ({ tags }: Markup): string =>
  tags.map(({ name, attributes }) => `${name}[${[...attributes.keys()]}]`).join(' ');

const base: ReportData = reportData({ classes: 3 });
const expected = skeleton(readMarkup(reportPage(base)));

const nasty = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '</style><script>alert(1)</script>',
  '</script>',
  '<!--',
  ']]>',
  '&lt;b&gt; &amp; &#60;',
  'javascript:alert(1)',
  '#%?&=+ ü 日本 \u202e gnp.exe',
  '../../../etc/passwd',
  '\u0000\u001b[31m\ud800',
  '$&{{7*7}}`',
  '',
];
const hostile = fc.oneof(fc.constantFrom(...nasty), fc.string({ unit: 'binary' }), fc.string());

test('no string of the data can become markup', () => {
  fc.assert(
    fc.property(fc.array(hostile, { minLength: 1, maxLength: 30 }), strings => {
      let at = 0;
      const page = reportPage(replaceStrings(base, () => strings[at++ % strings.length]!));
      expect(skeleton(readMarkup(page))).toBe(expected);
    }),
    { numRuns: 60 },
  );
});

test.each(nasty)('%j everywhere changes nothing but words', words => {
  const page = reportPage(replaceStrings(base, () => words));
  const markup = readMarkup(page);
  expect(skeleton(markup)).toBe(expected);
  for (const { name, attributes } of markup.tags) {
    if (name === 'img') expect(attributes.get('src') ?? '').toMatch(/^(?!\/)(?![a-z]+:)[\w.~!*'()%/-]*$/i);
    const style = attributes.get('style');
    if (style) expect(style).toMatch(/^(--c:#[0-9a-f]{6};--i:#(000|fff)|--tile:[\d.]+|left:[\d.]+%)$/i);
  }
});
