import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { reportPage } from '#core/pages/report';
import type { ReportData } from '#core/pages/report-data';
import { reportScript, reportScriptSha256 } from '#core/pages/report-script';
import { type Markup, readMarkup } from './markup.ts';
import { reportData } from './report-data.ts';

const read = (data: ReportData): Markup => readMarkup(reportPage(data));
const base = reportData({ classes: 12 });
const tagged = ({ tags }: Markup, name: string) => tags.filter(tag => tag.name === name);
const withClass = ({ tags }: Markup, name: string) =>
  tags.filter(tag => tag.attributes.get('class')?.split(' ').includes(name));

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
    expect(pictures.length).toBe(2 * (12 * 9 + 11 + 18));
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
    expect(withCheck(check)).toContain('the two agree on 94.1% of the pixels');
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

describe('metrics', () => {
  const withMetrics = (changes: Partial<NonNullable<ReportData['metrics']>>) => ({
    ...base,
    metrics: { ...base.metrics!, ...changes },
  });
  const reasons = (data: ReportData) => withClass(read(data), 'none').map(({ attributes }) => attributes.get('title'));

  test('figures beside the trivial baselines', () => {
    const { text } = read(base);
    expect(text).toMatch(/this job38\.6%40\.2%74\.1%/);
    expect(text).toMatch(/plain pixel k-means12\.7%13\.1%32\.2%/);
    expect(text).toContain('3.0 times the best trivial baseline (plain pixel k-means).');
  });

  test('worse than a baseline is said on top', () => {
    const { text } = read(withMetrics({ miouForeground: 0.1 }));
    expect(text).toContain(
      'Problem: mIoU of the foreground classes is 10.0%, no better than a trivial baseline (plain pixel k-means, 12.7%).',
    );
    expect(text).toContain('The labels of this job are no better than those of plain pixel k-means.');
  });

  test('no figure is a dash that says why', () => {
    expect(reasons(base)).toContain('needs images that lie in class folders');
    expect(reasons(base)).toContain('the masks have no object of this size');
    expect(reasons(withMetrics({ missing: { nmi: 'all images lie in one folder' } }))).toContain(
      'all images lie in one folder',
    );
  });

  test('every figure may be missing', () => {
    const none = { s: null, ms: null, ml: null, l: null };
    const data = withMetrics({
      miou: null,
      miouForeground: null,
      boundaryMiou: null,
      imageAccuracy: null,
      fBeta: null,
      foregroundIou: null,
      sizes: none,
      boundarySizes: none,
      pixelMatched: null,
      baselines: { allBackground: null, allForeground: null, centredEllipse: null, pixelKmeans: null },
      perClass: [],
      thresholdCurve: undefined,
    });
    expect(reasons(data).filter(reason => !reason)).toEqual([]);
    expect(read(data).text).not.toMatch(/NaN|null|undefined|Infinity/);
  });

  test('without masks the page claims no accuracy', () => {
    const { text } = read({ ...base, metrics: null });
    expect(text).toContain('nothing here is measured accuracy');
    expect(text).not.toContain('Beside trivial baselines');
  });

  test('classes are sorted best first, absent ones last', () => {
    const page = read(base);
    const cells = page.tags
      .filter(({ name, attributes }) => name === 'td' && attributes.has('data-v'))
      .map(({ attributes }) => attributes.get('data-v')!);
    const column = cells.filter((_, at) => at % 4 === 1).map(value => (value === '' ? -1 : Number(value)));
    expect(column).toEqual([...column].sort((a, b) => b - a));
    expect(column).toHaveLength(12);
  });
});

describe('run and model', () => {
  test.each([
    ['decode', 'Decode-bound', 'more CPU cores would help'],
    ['model', 'Model-bound', 'a faster device or a smaller network would help'],
    ['balanced', 'Balanced', 'took about as long'],
  ] as const)('%s-bound', (by, title, advice) => {
    const { text } = read({ ...base, run: { ...base.run, bound: { by, decodeSeconds: 12, modelSeconds: 34 } } });
    expect(text).toContain(`${title} (decoding 12 s, model 34 s)`);
    expect(text).toContain(advice);
  });

  test('the built-in filter bank is no network, and the page says so twice', () => {
    const backbone = { name: 'filter-bank', sha256: null, builtIn: true };
    const { text } = read({ ...base, run: { ...base.run, backbone } });
    expect(text).toContain('knows colour and texture but no objects');
    expect(text).toContain('it does not know what a dog is');
    expect(read(base).text).not.toContain('filter bank');
  });

  test('command, settings, hashes and licence', () => {
    const { text } = read(base);
    for (const words of [base.run.command, 'from-scores', base.run.backbone.sha256!, ...base.model.licenceNotes]) {
      expect(text).toContain(words);
    }
  });

  test('no licence note is a warning, not silence', () => {
    expect(read({ ...base, model: { ...base.model, licenceNotes: [] } }).text).toContain(
      'check their terms before passing it on',
    );
  });
});
