import { describe, expect, test } from 'vitest';
import type { ReportData } from '#core/pages/report-data';
import { readReport as read, withClass } from './markup.ts';
import { reportData } from './report-data.ts';

const base = reportData({ classes: 12 });

describe('metrics', () => {
  const withMetrics = (changes: Partial<NonNullable<ReportData['metrics']>>) => ({
    ...base,
    metrics: { ...base.metrics!, ...changes },
  });
  const reasons = (data: ReportData) => withClass(read(data), 'none').map(({ attributes }) => attributes.get('title'));

  test('figures beside the trivial baselines', () => {
    const { text } = read(base);
    expect(text).toMatch(/this job\s*38\.6%\s*40\.2%\s*74\.1%/);
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
    const bound = { by, decodeSeconds: 12, modelSeconds: 34, decodeRate: 178, modelRate: 9.34 };
    const { text } = read({ ...base, run: { ...base.run, bound } });
    expect(text).toContain(`${title} (decoding 12 s, model 34 s)`);
    expect(text).toContain(advice);
    expect(text).toContain('Alone, decoding would do 178 images per second and the model 9.3.');
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
