/** Why a file cannot be used as a photo, in words for the person who put it there. */
import { RejectedInput } from '#core/errors';
import { endsEarly } from '#core/image/file-end';
import type { FileFamily, PhotoKind } from '#core/image/file-kind';
import { fileKindOf, isPhoto } from '#core/image/file-kind';

/** At most so many pixels are decoded: about 150 MB of memory for one picture. */
export const pixelLimit = 50_000_000;
const smallestSide = 2;

const refusals: Record<FileFamily, (described: string) => string> = {
  photo: described => described,
  picture: described => `${described}, which cannot be read here; save it as JPEG or PNG`,
  drawing: described => `${described}, not a photo; only pictures made of pixels are accepted`,
  other: described => `not a picture but ${described}`,
};

/** @throws RejectedInput if the content is no photo in a format that can be decoded */
export function assertPhoto(bytes: Uint8Array): PhotoKind {
  if (bytes.length === 0) throw new RejectedInput('an empty file');
  const kind = fileKindOf(bytes);
  if (isPhoto(kind)) return kind;
  throw new RejectedInput(kind ? refusals[kind.family](kind.described) : 'not a picture of any known kind');
}

/** What sharp reports of a header, as far as we care. */
export interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth?: string | undefined;
}

/** @throws RejectedInput if the picture is too large, too small or of a number type that photos do not have */
export function assertDecodable({ width, height, depth }: Header): void {
  const size = `${width} × ${height} pixels`;
  if (width * height > pixelLimit) {
    throw new RejectedInput(`too large: ${size}; at most ${pixelLimit / 1e6} million pixels are accepted`);
  }
  if (Math.min(width, height) < smallestSide) {
    throw new RejectedInput(`too small: ${size}; both sides need at least ${smallestSide}`);
  }
  if (depth !== undefined && depth !== 'uchar' && depth !== 'ushort') {
    throw new RejectedInput('its pixels are not stored in 8 or 16 bits; save it as an 8-bit picture');
  }
}

/** What a failure of the decoder means for the person. Its own words name functions, and mix with those about files decoded at the same time. */
export function refusalOf(failure: unknown, bytes: Uint8Array, { format }: PhotoKind): RejectedInput {
  const words = failure instanceof Error ? failure.message : '';
  if (/timeout/i.test(words)) return new RejectedInput(`a ${format} file that takes too long to decode`);
  if (endsEarly(bytes, format)) {
    return new RejectedInput(`a ${format} file cut short: it ends before the picture does`, { cause: failure });
  }
  return new RejectedInput(`a damaged ${format} file: it cannot be decoded`, { cause: failure });
}
