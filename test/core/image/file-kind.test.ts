import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endsEarly } from '#core/image/file-end';
import { fileKindOf, isPhoto } from '#core/image/file-kind';
import { plainPng } from '../../contracts/plain-png.ts';

/** One byte per letter. */
const bytesOf = (text: string) => Uint8Array.from(text, char => char.charCodeAt(0));
const padded = (text: string) => bytesOf(text.padEnd(300, '\0'));

/** A little-endian TIFF whose only directory holds these tags with 32-bit values. */
function tiff(tags: readonly (readonly [number, number])[]): Uint8Array {
  const bytes = Buffer.alloc(10 + 12 * tags.length);
  bytes.write('II*\0\x08\0\0\0', 'latin1');
  bytes.writeUInt16LE(tags.length, 8);
  tags.forEach(([tag, value], i) => {
    bytes.writeUInt16LE(tag, 10 + 12 * i);
    bytes.writeUInt32LE(value, 18 + 12 * i);
  });
  return bytes;
}

const described = (bytes: Uint8Array) => fileKindOf(bytes)?.described;

describe('fileKindOf', () => {
  it.each([
    ['\xff\xd8\xff\xe0', 'a JPEG photo'],
    ['\x89PNG\r\n\x1a\n', 'a PNG picture'],
    ['GIF89a', 'a GIF picture'],
    ['RIFF\x10\0\0\0WEBPVP8 ', 'a WebP picture'],
    ['II*\0\x08\0\0\0', 'a TIFF picture'],
    ['MM\0*\0\0\0\x08', 'a TIFF picture'],
    ['\0\0\0\x1cftypavif\0\0\0\0mif1avif', 'an AVIF picture'],
  ])('knows the photo format of %j', (head, expected) => {
    expect(described(padded(head))).toBe(expected);
    expect(isPhoto(fileKindOf(padded(head)))).toBe(true);
  });

  it.each([
    ['\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'a HEIC photo'],
    ['\0\0\0\x18ftypmp42\0\0\0\0mp42isom', 'a video'],
    ['BM\x36\0\0\0\0\0\0\0', 'a BMP picture'],
    ['P6 3 3 255 \x01', 'a PNM picture'],
    ['%PDF-1.7\n', 'a PDF document'],
    ['junk before\n%PDF-1.4', 'a PDF document'],
    ['%!PS-Adobe-3.0 EPSF-3.0', 'a PostScript drawing'],
    ['PK\x03\x04', 'a ZIP archive'],
    ['\x1f\x8b\x08', 'a gzip archive'],
    ['\x7fELF', 'a program'],
    ['RIFF\x10\0\0\0WAVEfmt ', 'a sound or video file'],
    ['II*\0\x10\0\0\0CR\x02', 'a camera raw file'],
  ])('knows %j, which is none', (head, expected) => {
    expect(described(padded(head))).toBe(expected);
    expect(isPhoto(fileKindOf(padded(head)))).toBe(false);
  });

  const svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>';
  it.each([
    svg,
    `  \n\t${svg}`,
    `\xef\xbb\xbf${svg}`,
    `<?xml version="1.0"?>\n<!-- a drawing -->\n<!DOCTYPE svg PUBLIC "x">\n${svg}`,
    '<svg:svg xmlns:svg="http://www.w3.org/2000/svg"/>',
    '<SVG >',
  ])('sees the drawing in %j', text => {
    expect(described(bytesOf(text))).toBe('an SVG drawing');
  });

  it('sees it in 16-bit letters too', () => {
    expect(described(new Uint8Array(Buffer.from(`\uFEFF${svg}`, 'utf16le')))).toBe('an SVG drawing');
  });

  it('tells pages, scripts and notes apart', () => {
    expect(described(bytesOf('<!DOCTYPE html><html></html>'))).toBe('an HTML page');
    expect(described(bytesOf('<?xml version="1.0"?><gpx/>'))).toBe('an XML document');
    expect(described(bytesOf('#!/bin/sh\nexit 1\n'))).toBe('a script');
    expect(described(bytesOf('BMW, MZ and PK are only letters here'))).toBe('plain text');
    expect(described(bytesOf('{"a": 1 < 2, "b": "<svg>"}'))).toBe('plain text');
    expect(described(Uint8Array.from([0, 1, 2, 3, 4, 5]))).toBeUndefined();
    expect(described(new Uint8Array(0))).toBeUndefined();
  });

  it('knows camera raw files by their preview-first directory', () => {
    expect(described(tiff([[254, 1]]))).toBe('a camera raw file');
    expect(
      described(
        tiff([
          [256, 100],
          [50706, 1],
        ]),
      ),
    ).toBe('a camera raw file');
    expect(
      described(
        tiff([
          [254, 0],
          [256, 100],
        ]),
      ),
    ).toBe('a TIFF picture');
    expect(described(tiff([[254, 2]]))).toBe('a TIFF picture');
  });

  it('never fails, whatever the bytes', () => {
    const starts = fc.constantFrom('', 'II*\0', 'MM\0*', '\0\0\0\x20ftyp', '<svg', 'RIFF', '\x89PNG\r\n\x1a\n');
    fc.assert(
      fc.property(starts, fc.uint8Array({ maxLength: 60 }), (start, rest) => {
        const bytes = Uint8Array.from([...bytesOf(start), ...rest]);
        const kind = fileKindOf(bytes);
        if (isPhoto(kind)) expect(typeof endsEarly(bytes, kind.format)).toBe('boolean');
      }),
    );
  });
});

describe('endsEarly', () => {
  const png = plainPng({ width: 9, height: 7, channels: 3, data: new Uint8Array(189) });
  const webp = bytesOf(`RIFF\x10\0\0\0WEBP${'x'.repeat(12)}`);
  const avif = bytesOf(`\0\0\0\x10ftypavif\0\0\0\0\0\0\0\x0cmdatabcd`);
  const files = [
    ['PNG', png],
    ['WebP', webp],
    ['AVIF', avif],
    ['TIFF', tiff([[256, 9]])],
  ] as const;

  it.each(files)('a whole %s does not, every shorter one does', (format, bytes) => {
    expect(endsEarly(bytes, format)).toBe(false);
    for (let length = 0; length < bytes.length; length++) {
      const boundary = format === 'AVIF' && (length === 0 || length === 16);
      expect(endsEarly(bytes.subarray(0, length), format)).toBe(!boundary);
    }
  });

  it('does not loop on boxes and chunks that state no or absurd lengths', () => {
    expect(endsEarly(bytesOf('\0\0\0\0ftypavif'), 'AVIF')).toBe(false);
    expect(endsEarly(bytesOf('\0\0\0\x02ftypavif'), 'AVIF')).toBe(false);
    expect(endsEarly(bytesOf('\x89PNG\r\n\x1a\n\xff\xff\xff\xffIHDR12345678'), 'PNG')).toBe(true);
  });
});
