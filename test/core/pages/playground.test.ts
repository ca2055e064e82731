import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { connectedComponents } from '#core/formats/components';
import { encodeIndexPng } from '#core/formats/png-index';
import { classRuns, compressCounts } from '#core/formats/rle';
import { playgroundPage, playgroundPolicy } from '#core/pages/playground';
import { playgroundMaskScript } from '#core/pages/playground-mask-script';
import { playgroundScript, playgroundScriptSha256 } from '#core/pages/playground-script';
import { playgroundStyle, playgroundStyleSha256 } from '#core/pages/playground-style';

const page = playgroundPage({ version: '1.2.3<' });
const squeeze = promisify(deflate);

/** The page's own functions, run here. */
const { readMask, segmentsOf } = new Function(
  `'use strict';${playgroundMaskScript}return { readMask, segmentsOf };`,
)() as {
  readMask: (bytes: Uint8Array) => Promise<{ width: number; height: number; ids: Uint16Array }>;
  segmentsOf: (segments: unknown[], width: number, height: number) => Uint16Array;
};

describe('page', () => {
  test('the policy lets only the page’s own script and style in, and only its own service be asked', () => {
    const digest = (text: string) => createHash('sha256').update(text).digest('base64');
    expect(playgroundScriptSha256, 'playground-script.ts: put this digest beside the script').toBe(
      digest(playgroundScript),
    );
    expect(playgroundStyleSha256, 'playground-style.ts: put this digest beside the style').toBe(
      digest(playgroundStyle),
    );
    const [, policy] = /Content-Security-Policy" content="([^"]+)"/.exec(page)!;
    expect(`${policy!.replaceAll('&#39;', "'")}; frame-ancestors 'none'`).toBe(playgroundPolicy);
    expect(playgroundPolicy).toContain(`script-src 'sha256-${playgroundScriptSha256}'`);
    expect(playgroundPolicy).not.toContain('unsafe');
    expect(page).toContain(`<script>${playgroundScript}</script>`);
    expect(page).toContain(`<style>${playgroundStyle}</style>`);
    expect(page).not.toMatch(/\s(on\w+|style)="/);
  });

  test('nothing is loaded from elsewhere, and addresses are relative to the page', () => {
    const addresses = [...page.matchAll(/\s(?:href|src|action)="([^"]*)"/g)].map(match => match[1]!);
    expect(addresses.filter(address => !/^(#main|openapi\.json|data:image\/svg\+xml,.*)$/.test(address))).toEqual([]);
    expect(playgroundScript).not.toMatch(/https?:\/\//);
  });

  test('ids are unique; every reference and every id the script asks for exists', () => {
    const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map(match => match[1]!);
    expect(new Set(ids).size).toBe(ids.length);
    const references = [...page.matchAll(/\s(?:for|aria-labelledby|aria-describedby)="([^"]+)"/g)];
    const asked = [...playgroundScript.matchAll(/\bone\('([^']+)'\)/g)];
    expect([...references, ...asked].map(match => match[1]!).filter(id => !ids.includes(id))).toEqual([]);
  });

  test('the version is a text', () => expect(page).toContain('selflabel 1.2.3&lt;.'));
});

const maps = (highest: number) =>
  fc
    .record({ width: fc.integer({ min: 1, max: 20 }), height: fc.integer({ min: 1, max: 20 }) })
    .chain(({ width, height }) =>
      fc
        .array(fc.integer({ min: 0, max: highest }), { minLength: width * height, maxLength: width * height })
        .map(data => ({ width, height, data: Uint16Array.from(data) })),
    );

describe('label maps in the browser', () => {
  test.each([255, 256, 65535])('ids up to %i are read as they were written', highest =>
    fc.assert(
      fc.asyncProperty(maps(highest), async map => {
        const read = await readMask(await encodeIndexPng(map, { highest, deflate: bytes => squeeze(bytes) }));
        expect(read).toEqual({ width: map.width, height: map.height, ids: map.data });
      }),
    ),
  );

  test('each filter of a scanline is undone', async () => {
    const lines = Uint8Array.from({ length: 5 * 8 }, (_, at) => (at % 8 === 0 ? at / 8 : (at * 37) & 255));
    const raw = unfiltered(lines, 7);
    const png = await pngOf(7, 5, lines);
    expect([...(await readMask(png)).ids]).toEqual(raw);
  });

  test('what is no such file is refused in words', async () => {
    await expect(readMask(new Uint8Array(3))).rejects.toThrow('no PNG');
    const lines = new Uint8Array(5 * 8);
    await expect(readMask(await pngOf(8, 5, lines))).rejects.toThrow('cut off');
    await expect(readMask(await pngOf(7, 5, lines, 2))).rejects.toThrow('does not read');
  });

  test('segments lie where their run lengths say, compressed or not', () =>
    fc.assert(
      fc.property(maps(3), fc.boolean(), (map, compressed) => {
        const { component } = connectedComponents(map);
        const numbers = Uint16Array.from(component, value => value + 1);
        const segments = classRuns({ ...map, data: numbers }).map(({ counts }) => ({
          rle: { size: [map.height, map.width], counts: compressed ? compressCounts(counts) : counts },
        }));
        expect(segmentsOf(segments, map.width, map.height)).toEqual(numbers);
        expect(segmentsOf([{}, ...segments], map.width, map.height)).toEqual(
          numbers.map(value => (value ? value + 1 : 0)),
        );
      }),
    ));
});

/** Scanlines without their filters, from the definitions (ISO/IEC 15948, 9.2), one byte per pixel. */
function unfiltered(lines: Uint8Array, width: number): number[] {
  const rows: number[][] = [];
  for (let y = 0; y * (width + 1) < lines.length; y++) {
    const [filter, ...bytes] = lines.subarray(y * (width + 1), (y + 1) * (width + 1));
    const row: number[] = [];
    for (const [x, byte] of bytes.entries()) {
      const [a, b, c] = [row[x - 1] ?? 0, rows[y - 1]?.[x] ?? 0, rows[y - 1]?.[x - 1] ?? 0];
      const nearest = [a, b, c].sort((p, q) => Math.abs(a + b - c - p) - Math.abs(a + b - c - q))[0]!;
      row.push((byte + [0, a, b, Math.floor((a + b) / 2), nearest][filter!]!) & 255);
    }
    rows.push(row);
  }
  return rows.flat();
}

/** A grey PNG of 8 bits with these scanlines; checksums are left out, since the page trusts its transport. */
async function pngOf(width: number, height: number, lines: Uint8Array, colourType = 0): Promise<Uint8Array> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, colourType], 8);
  const chunk = (type: string, data: Uint8Array) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    return Buffer.concat([length, Buffer.from(type), data, Buffer.alloc(4)]);
  };
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', await squeeze(lines)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
