/** Tables as text: the rules of RFC 4180, and clusters.csv. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PermanentError } from '#core/errors';
import { parseClustersCsv, writeClustersCsv } from '#core/formats/clusters-csv';
import { csvLine, parseCsv } from '#core/formats/csv';
import type { ClusterId } from '#core/labels/label-id';

describe('csv', () => {
  it('writes and reads the example of the format note', () => {
    expect(csvLine(['a,b.jpg', '5"', 7])).toBe('"a,b.jpg","5""",7\n');
    expect(parseCsv('"a,b.jpg","5""",7\n')).toEqual([['a,b.jpg', '5"', '7']]);
  });
  it.each([
    ['', []],
    ['a', [['a']]],
    [
      'a,b\r\nc,d\r\n',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      'a,\n,b',
      [
        ['a', ''],
        ['', 'b'],
      ],
    ],
    ['a,', [['a', '']]],
    ['""\n', [['']]],
    ['"two\nlines",x', [['two\nlines', 'x']]],
    ['\ufeffa\n\nb\n', [['a'], [''], ['b']]],
  ])('reads %j', (text, rows) => {
    expect(parseCsv(text)).toEqual(rows);
  });
  it('refuses a quote that never closes and text after one that does', () => {
    expect(() => parseCsv('a,"b', 't.csv')).toThrow(/^t\.csv: a quote/);
    expect(() => parseCsv('"a"b', 't.csv')).toThrow(PermanentError);
  });
  it('gives back any table', () => {
    const field = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', 'ä', ' ') }));
    const table = fc.array(fc.array(field, { minLength: 1, maxLength: 4 }), { maxLength: 5 });
    fc.assert(
      fc.property(table, rows => {
        const text = rows.map(csvLine).join('');
        if (rows.length === 0 || !text.startsWith('\ufeff')) expect(parseCsv(text)).toEqual(rows);
      }),
    );
  });
});

describe('clusters.csv', () => {
  const rows = [
    { image: 'a/b, c.jpg', cluster: 3 as ClusterId, distance: 0.1 + 0.2, confidence: 1 },
    { image: '猫.png', cluster: 0 as ClusterId, distance: 0, confidence: 0.25 },
  ];
  it('has the columns of the interface and gives the same numbers back', () => {
    const text = writeClustersCsv(rows);
    expect(text.split('\n')[0]).toBe('image,cluster,distance,confidence');
    expect(parseClustersCsv(text)).toEqual(rows);
  });
  it('reads tables of others: more columns, another order, fewer numbers', () => {
    expect(parseClustersCsv('cluster,class,image\n2,cat,x.jpg\n')).toEqual([
      { image: 'x.jpg', cluster: 2, distance: Number.NaN, confidence: Number.NaN },
    ]);
  });
  it('says what is wrong and where', () => {
    expect(() => parseClustersCsv('file,id\nx,1\n', 'c.csv')).toThrow(/c\.csv: the first line must name/);
    expect(() => parseClustersCsv('image,cluster\nx.jpg,-1\n')).toThrow(/line 2/);
    expect(() => parseClustersCsv('image,cluster\nx.jpg,1\ny.jpg,\n')).toThrow(/line 3/);
    expect(() => writeClustersCsv([{ ...rows[0]!, distance: Number.NaN }])).toThrow(RangeError);
  });
});
