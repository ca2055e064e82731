import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fractionOf, histogramChart, lineChart, shareBar, stackedBar } from '#core/pages/bars';

/** Area under a step path of histogramChart, in units of bins × height. */
function area(path: string): number {
  let [x, y, sum] = [0, 100, 0];
  for (const [, command, first] of path.matchAll(/([MVHZ])([\d.]*)/g)) {
    if (command === 'V') y = Number(first);
    if (command === 'M') x = Number(first);
    if (command === 'H') {
      sum += (Number(first) - x) * (100 - y);
      x = Number(first);
    }
  }
  return sum;
}

const paths = (svg: string): string[] => [...svg.matchAll(/ d="([^"]*)"/g)].map(match => match[1]!);

describe('charts', () => {
  test('a histogram split in the middle of a bin, by hand', () => {
    const chart = histogramChart({ low: 0, high: 2, counts: [1, 2] }, 1.5, 'words').text;
    expect(paths(chart)).toEqual(['M0 100V50H1V0H1.5V100Z', 'M1.5 100V0H2V100Z']);
    expect(chart).toContain('role="img" aria-label="words"');
  });

  test('the two parts of a histogram cover the whole, in the right shares', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 60 }),
        fc.double({ min: -0.5, max: 1.5, noNaN: true }),
        (counts, threshold) => {
          const [below, above] = paths(histogramChart({ low: 0, high: 1, counts }, threshold, '').text).map(area);
          const peak = Math.max(1, ...counts);
          const cut = Math.min(1, Math.max(0, threshold)) * counts.length;
          const left = counts.reduce((sum, count, bin) => sum + count * Math.min(1, Math.max(0, cut - bin)), 0);
          const whole = counts.reduce((sum, count) => sum + count, 0);
          expect(Math.abs(below! - (left * 100) / peak)).toBeLessThan(1 + counts.length * 0.02);
          expect(Math.abs(below! + above! - (whole * 100) / peak)).toBeLessThan(1 + counts.length * 0.02);
        },
      ),
    );
  });

  test('a line keeps its points in order and in the box', () => {
    expect(
      lineChart(
        [
          [0, 0],
          [1, 0.5],
          [2, 1],
        ],
        1,
        'w',
      ).text,
    ).toContain('points="0,100 50,50 100,0"');
  });

  test('parts of a whole lie side by side', () => {
    const parts = [
      { share: 0.5, color: '#000000', name: 'a' },
      { share: 0.25, color: '#ffffff', name: '<b>' },
    ];
    const chart = stackedBar(parts, 'w').text;
    expect([...chart.matchAll(/x="([\d.]+)" width="([\d.]+)"/g)].map(match => [match[1], match[2]])).toEqual([
      ['0', '500'],
      ['500', '250'],
    ]);
    expect(chart).toContain('<title>&lt;b&gt;</title>');
  });

  test('a bar stays within its frame', () => {
    expect(shareBar(1.7).text).toContain('width="100"');
    expect(shareBar(-1).text).toContain('width="0"');
    expect(fractionOf(5, 3, 3)).toBe(0);
  });
});
