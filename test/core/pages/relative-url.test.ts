import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { relativeUrl } from '#core/pages/relative-url';

describe('relativeUrl', () => {
  test.each([
    ['a b/50% #1?.jpg', 'a%20b/50%25%20%231%3F.jpg'],
    ['../photos/ü.jpg', '../photos/%C3%BC.jpg'],
    ['/etc/passwd', 'etc/passwd'],
    ['//host/x.jpg', 'host/x.jpg'],
    ['javascript:alert(1)', 'javascript%3Aalert(1)'],
    ['c:\\x', 'c%3A%5Cx'],
    ['a\ud800', 'a%EF%BF%BD'],
  ])('%j → %s', (path, url) => expect(relativeUrl(path)).toBe(url));

  test('a browser reads the same names, below the page, whatever they hold', () => {
    const segment = fc.string({ unit: 'grapheme', minLength: 1 }).filter(name => !/^\.{1,2}$|\//.test(name));
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), segments => {
        const url = new URL(relativeUrl(segments.join('/')), 'file:///reports/one/index.html');
        expect(url.href.startsWith('file:///reports/one/')).toBe(true);
        expect([url.search, url.hash]).toEqual(['', '']);
        const names = url.pathname.split('/').slice(3).map(decodeURIComponent);
        expect(names).toEqual(segments.map(name => name.replace(/\p{Cs}/gu, '\ufffd')));
      }),
    );
  });
});
