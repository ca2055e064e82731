import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { reportPage } from '#core/pages/report';
import { reportScript, reportScriptSha256 } from '#core/pages/report-script';
import { type Markup, readReport as read, withClass } from './markup.ts';
import { reportData } from './report-data.ts';

const base = reportData({ classes: 12 });
const tagged = ({ tags }: Markup, name: string) => tags.filter(tag => tag.name === name);

describe('structure', () => {
  const page = read(base);

  test('one document, one main, landmarks, headings without gaps', () => {
    for (const name of ['html', 'main', 'nav', 'footer', 'h1', 'style', 'script', 'dialog']) {
      expect(tagged(page, name), name).toHaveLength(1);
    }
    const levels = page.tags.filter(({ name }) => /^h[1-6]$/.test(name)).map(({ name }) => Number(name[1]));
    for (const [at, level] of levels.entries()) expect(level).toBeLessThanOrEqual((levels[at - 1] ?? 0) + 1);
  });

  test('ids are unique; every reference points at one', () => {
    const ids = page.tags.flatMap(({ attributes }) => attributes.get('id') ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    const known = new Set(ids);
    for (const { attributes } of page.tags) {
      const href = attributes.get('href');
      if (href) expect(known).toContain(href.slice(1));
      for (const key of ['aria-labelledby', 'data-filters']) {
        const id = attributes.get(key);
        if (id) expect(known).toContain(id);
      }
    }
  });

  test('nothing is fetched from anywhere: no link, no source but pictures beside the page', () => {
    expect(tagged(page, 'link')).toEqual([]);
    for (const { name, attributes } of page.tags) {
      expect(attributes.get('href') ?? '#').toMatch(/^#/);
      const source = attributes.get('src');
      if (source) expect([name, source]).toEqual(['img', expect.stringMatching(/^(thumbnails|overlays)\//)]);
      expect([...attributes.keys()].filter(key => key.startsWith('on'))).toEqual([]);
    }
  });

  test('the policy lets only the page’s own script run', () => {
    const digest = createHash('sha256').update(reportScript).digest('base64');
    expect(reportScriptSha256, 'report-script.ts: put this digest beside the script').toBe(digest);
    const policy = tagged(page, 'meta')
      .map(({ attributes }) => attributes.get('content'))
      .join();
    expect(policy).toContain(`script-src 'sha256-${digest}'`);
    expect(policy).toContain("default-src 'none'");
    expect(reportPage(base)).toContain(`<script>${reportScript}</script>`);
  });

  test('every picture is lazy, has a text, and its labels have none', () => {
    const pictures = tagged(page, 'img').filter(({ attributes }) => attributes.has('src'));
    expect(pictures.length).toBe(2 * (12 * 9 + 11 + 18 + 2 * 3 + 3 + 2));
    pictures.forEach(({ attributes }, at) => {
      expect(attributes.get('loading')).toBe('lazy');
      expect(attributes.get('alt') === '').toBe(at % 2 === 1);
    });
  });

  test('the same data gives the same page', () => {
    expect(reportPage(reportData({ classes: 12 }))).toBe(reportPage(base));
  });

  test('three hundred classes with nine pictures each stay below two megabytes', () => {
    expect(Buffer.byteLength(reportPage(reportData({ classes: 300 })))).toBeLessThan(2_000_000);
  });
});

describe('classes', () => {
  test('largest first, each with its pictures by group and the command to rename it', () => {
    const page = read({ ...base, classes: [...base.classes].reverse() });
    expect(withClass(page, 'class').map(({ attributes }) => Number(attributes.get('data-id')))).toEqual(
      [...base.classes].sort((a, b) => b.pixels - a.pixels).map(({ id }) => id),
    );
    expect(page.text).toContain('selflabel classes rename harbour-2026 7 "new name"');
  });

  test('the directory is quoted as a shell needs it', () => {
    expect(read({ ...base, directory: "Ann's photos" }).text).toContain(
      "selflabel classes rename 'Ann'\\''s photos' 7 ",
    );
  });

  test('a class without pictures, cohesion or confidence says so', () => {
    const bare = { ...base.classes[0]!, members: [], cohesion: null, confidence: null };
    const page = read({ ...base, classes: [bare] });
    expect(page.text).toContain('No picture of this class was kept.');
    expect(withClass(page, 'none').map(({ attributes }) => attributes.get('title'))).toContain(
      'no confidence was given',
    );
  });

  test('no class at all is a page, too', () => {
    expect(read({ ...base, classes: [] }).text).toContain('0 classes');
  });
});

describe('receipt', () => {
  test('counts that add up are shown as an equation', () => {
    const { text } = read(base);
    expect(text).toContain('497 = 483 + 2 + 9 + 3. The counts add up.');
    expect(text).not.toContain('does not add up');
  });

  test('the page warns exactly when they do not', () => {
    const count = fc.integer({ min: 0, max: 5 });
    fc.assert(
      fc.property(
        fc.record({
          labelled: count,
          empty: count,
          duplicate: count,
          rejected: count,
          total: fc.integer({ min: 0, max: 20 }),
        }),
        counts => {
          const receipt = { counts, rejected: [], duplicates: [], empty: [], notes: [] };
          const sum = counts.labelled + counts.empty + counts.duplicate + counts.rejected;
          const { text } = read({ ...base, classes: [], receipt });
          expect(text.includes('The receipt does not add up.')).toBe(sum !== counts.total);
          expect(text.includes('The counts of images do not add up.')).toBe(sum !== counts.total);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('more files listed than counted is a warning', () => {
    const receipt = { ...base.receipt, counts: { ...base.receipt.counts, labelled: 485, rejected: 1 } };
    expect(read({ ...base, receipt }).text).toContain('3 files are listed as rejected, 1 were counted.');
  });

  test('long lists fold away, get a filter, and say what they leave out', () => {
    const duplicates = Array.from({ length: 700 }, (_, at) => ({ image: `b${at}.jpg`, of: `a${at}.jpg` }));
    const counts = { ...base.receipt.counts, duplicate: 9000, total: 9488 };
    const page = read({ ...base, receipt: { ...base.receipt, counts, duplicates } });
    expect(page.text).toContain('500 of 9,000 shown; all of them are in receipt.json.');
    expect(page.text).toContain('b499.jpg');
    expect(page.text).not.toContain('b500.jpg');
    const folded = withClass(page, 'listing').filter(({ attributes }) => !attributes.has('open'));
    expect(folded).toHaveLength(1);
    expect(page.tags.filter(({ attributes }) => attributes.get('data-filters') === 'duplicate-files')).toHaveLength(1);
  });
});

describe('review', () => {
  test('number, share and time of the review, and what it cannot find', () => {
    const { text } = read(base);
    expect(text).toContain('72 images, about 20 min');
    expect(text).toContain('14.9% of the labelled ones');
    expect(text).toContain('54 more images are below the line');
    expect(text).toContain('not labels that it is sure of and wrong');
  });

  test('nothing to review', () => {
    const review = { ...base.review, items: [], suggested: 0 };
    expect(read({ ...base, review }).text).toContain('No picture stands out.');
  });
});

describe('foreground', () => {
  const check = base.foreground!.check!;
  const withCheck = (given: typeof check | null) =>
    read({ ...base, foreground: { ...base.foreground!, check: given } }).text;

  test('a head without suspicious signs', () => {
    expect(withCheck(check)).toContain('No sign of failure.');
    expect(withCheck(check)).toContain('94.1% of the pixels get the same answer');
  });

  test('a failed head is said on top and explained', () => {
    const text = withCheck({ ...check, failed: true, borderForeground: { value: 0.81, limit: 0.4, suspicious: true } });
    expect(text).toContain('Problem: The part that tells object from background looks failed.');
    expect(text).toContain('81.0% of the image border was called foreground.');
    expect(text).toContain('Suspicious above 40.0%.');
  });

  test('a sign that was not measured, and no head at all', () => {
    expect(withCheck({ ...check, agreement: { value: null, limit: 0.8, suspicious: false } })).toContain(
      'Not measured in this job.',
    );
    expect(withCheck(null)).toContain('No head was trained for this job');
    expect(read({ ...base, foreground: null }).text).toContain('no background');
  });

  test('Otsu’s threshold stands beside another one', () => {
    const text = read({ ...base, foreground: { ...base.foreground!, threshold: 0.5, source: 'given' } }).text;
    expect(text).toContain('Threshold 0.50, given by hand. Otsu’s threshold (dotted): 0.07.');
  });

  test('the page does not claim to be free of labels where masks chose the threshold', () => {
    const text = read({ ...base, foreground: { ...base.foreground!, source: 'from-masks' } }).text;
    expect(text).toContain('found without labels, but for the threshold, which masks chose.');
    expect(read(base).text).toContain('found without labels.');
  });
});
