import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { escapeText, html, trusted } from '#core/pages/html';
import { readMarkup } from './markup.ts';

describe('html', () => {
  test('values are escaped, markup made by html is not escaped again, nothing is written for what is missing', () => {
    const inner = html`<b>${'a < b'}</b>`;
    expect(html`<p title="${'"'}">${inner}${null}${undefined}${false}${0}${['x', inner]}</p>`.text).toBe(
      '<p title="&quot;"><b>a &lt; b</b>0x<b>a &lt; b</b></p>',
    );
  });

  test('trusted markup is taken as it is', () => {
    expect(html`<style>${trusted('a>b{}')}</style>`.text).toBe('<style>a>b{}</style>');
  });

  test('control characters become visible, lone surrogates cannot break the encoding', () => {
    expect(escapeText('a\u0000b\u007fc\u0085\r\ud800d\ne\t\u{1f600}')).toBe('a␀b␡c\ufffd␍\ufffdd\ne\t\u{1f600}');
  });

  test('any text comes back from text and from an attribute', () => {
    const plain = fc.string({ unit: 'grapheme' }).filter(text => !/[\p{Cc}\p{Cs}]/u.test(text));
    fc.assert(
      fc.property(plain, text => {
        const { tags, text: shown } = readMarkup(html`<p title="${text}">${text}</p>`.text);
        expect([shown, tags[0]!.attributes.get('title')]).toEqual([text, text]);
      }),
    );
  });
});
