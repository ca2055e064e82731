/** What a file is, told by its first bytes and never by its name. */

/** photo: decodable here. picture: pixels, but in a format that is not. drawing: vectors or scripts, never opened. other: no picture at all. */
export type FileFamily = 'photo' | 'picture' | 'drawing' | 'other';

export interface FileKind {
  readonly family: FileFamily;
  /** Article and name, for a sentence: "a PDF document". */
  readonly described: string;
}

export type PhotoFormat = 'JPEG' | 'PNG' | 'GIF' | 'WebP' | 'TIFF' | 'AVIF';

/** A decodable picture. */
export interface PhotoKind extends FileKind {
  readonly family: 'photo';
  readonly format: PhotoFormat;
}

type Test = (bytes: Uint8Array, head: string) => boolean;

/** Signature at an offset, written as Latin-1 text. */
const at =
  (offset: number, ...signatures: string[]): Test =>
  (_, head) =>
    signatures.some(signature => head.startsWith(signature, offset));

const photo = (format: PhotoFormat, described: string): PhotoKind => ({ family: 'photo', format, described });
const other = (described: string): FileKind => ({ family: 'other', described });
const picture = (described: string): FileKind => ({ family: 'picture', described });
const drawing = (described: string): FileKind => ({ family: 'drawing', described });

/** Major and compatible brands of an ISO media file, as one string; empty for anything else. */
function mediaBrands(bytes: Uint8Array, head: string): string {
  if (!head.startsWith('ftyp', 4)) return '';
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
  return head.slice(8, Math.min(length, 64));
}

const brand =
  (pattern: RegExp): Test =>
  (bytes, head) =>
    pattern.test(mediaBrands(bytes, head));

/** Markup may hide behind a byte order mark, 16-bit letters and blank lines; the pattern finds its first telling tag. */
const tag =
  (pattern: RegExp): Test =>
  (_, head) => {
    const text = head
      .replaceAll('\0', '')
      .replace(/^(ï»¿|ÿþ|þÿ)/, '')
      .trimStart();
    return text.startsWith('<') && pattern.test(text);
  };

/** The first entry that fits is the answer; more specific ones come first. */
const kinds: readonly (readonly [Test, FileKind])[] = [
  [at(0, 'ÿØÿ'), photo('JPEG', 'a JPEG photo')],
  [at(0, '\x89PNG\r\n\x1a\n'), photo('PNG', 'a PNG picture')],
  [at(0, 'GIF87a', 'GIF89a'), photo('GIF', 'a GIF picture')],
  [(_, head) => head.startsWith('RIFF') && head.startsWith('WEBP', 8), photo('WebP', 'a WebP picture')],
  [isRawPhoto, picture('a camera raw file')],
  [at(0, 'II*\0', 'MM\0*', 'II+\0', 'MM\0+'), photo('TIFF', 'a TIFF picture')],
  [brand(/avi[fs]/), photo('AVIF', 'an AVIF picture')],
  [brand(/hei[cxms]|hev[cx]|mif1|msf1/), picture('a HEIC photo')],
  [brand(/crx /), picture('a camera raw file')],
  [brand(/./), other('a video')],
  [at(0, '\0\0\0\x0cJXL ', 'ÿ\x0a'), picture('a JPEG XL picture')],
  [at(0, '\0\0\0\x0cjP  ', 'ÿOÿQ'), picture('a JPEG 2000 picture')],
  [(_, head) => head.startsWith('BM') && head.startsWith('\0\0\0\0', 6), picture('a BMP picture')],
  [at(0, '\0\0\x01\0'), picture('an icon file')],
  [at(0, '8BPS'), picture('a Photoshop file')],
  [at(0, 'FUJIFILMCCD-RAW', 'IIU\0', 'IIRO'), picture('a camera raw file')],
  [at(0, 'v/1\x01'), picture('an OpenEXR picture')],
  [at(0, 'SIMPLE  ='), picture('a FITS picture')],
  [(_, head) => /^P[1-7][\s#]/.test(head), picture('a PNM picture')],
  [at(0, '#?RADIANCE', '#?RGBE'), picture('a Radiance picture')],
  [(_, head) => head.slice(0, 1024).includes('%PDF-'), drawing('a PDF document')],
  [at(0, '%!PS', 'ÅÐÓÆ'), drawing('a PostScript drawing')],
  [tag(/<([\w-]+:)?svg[\s>:]/i), drawing('an SVG drawing')],
  [tag(/<!doctype html|<html|<head|<body|<script/i), drawing('an HTML page')],
  [tag(/<[?!\w]/), drawing('an XML document')],
  [at(40, ' EMF'), drawing('a Windows metafile')],
  [at(0, '×ÍÆ\x9a'), drawing('a Windows metafile')],
  [at(0, '#!'), drawing('a script')],
  [isText, other('plain text')],
  [at(0, '\x1f\x8b'), other('a gzip archive')],
  [at(0, 'PK\x03\x04', 'PK\x05\x06'), other('a ZIP archive')],
  [at(0, '7z¼¯\x27\x1c', 'Rar!', 'ý7zXZ', 'BZh', '(µ/ý'), other('an archive')],
  [at(257, 'ustar'), other('a tar archive')],
  [at(0, '\x7fELF', 'MZ', 'Ïúíþ', 'Êþº¾'), other('a program')],
  [at(0, '\x93NUMPY'), other('a NumPy array')],
  [at(0, 'RIFF', 'OggS', 'ID3', 'fLaC', '\x1aEß£'), other('a sound or video file')],
];

/**
 * The kind of a file from its content.
 * @param bytes the whole file or at least its first 4096 bytes
 * @returns undefined where nothing known fits
 */
export function fileKindOf(bytes: Uint8Array): FileKind | PhotoKind | undefined {
  const head = latin1(bytes.subarray(0, 4096));
  return kinds.find(([fits]) => fits(bytes, head))?.[1];
}

export const isPhoto = (kind: FileKind | undefined): kind is PhotoKind => kind?.family === 'photo';

function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** No control characters but white space in the beginning. */
function isText(_: Uint8Array, head: string): boolean {
  for (const char of head.slice(0, 512)) {
    const code = char.charCodeAt(0);
    if (code < 32 && !(code >= 9 && code <= 13) && code !== 27) return false;
  }
  return head.length > 0;
}

/** TIFF tags: NewSubfileType, and DNGVersion of Adobe's digital negative. */
const newSubfileTag = 254;
const dngTag = 50706;

/** Raw photos of cameras are TIFF files whose first picture is only a preview; labelling that would be silently wrong. */
function isRawPhoto(bytes: Uint8Array, head: string): boolean {
  if (!head.startsWith('II*\0') && !head.startsWith('MM\0*')) return false;
  if (head.startsWith('CR', 8)) return true;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = head.startsWith('II');
  const directory = bytes.length >= 8 ? view.getUint32(4, little) : bytes.length;
  if (directory + 2 > bytes.length) return false;
  const entries = Math.min(view.getUint16(directory, little), Math.floor((bytes.length - directory - 2) / 12));
  for (let i = 0; i < entries; i++) {
    const entry = directory + 2 + 12 * i;
    const tagNumber = view.getUint16(entry, little);
    if (tagNumber === dngTag) return true;
    if (tagNumber === newSubfileTag && (view.getUint32(entry + 8, little) & 1) === 1) return true;
  }
  return false;
}
