/** Media types: which one a body has, which one the client wants. */

interface Range {
  readonly type: string;
  readonly quality: number;
}

/** The type without its parameters, in lower case. */
export const essence = (header: string | null): string => (header ?? '').split(';')[0]!.trim().toLowerCase();

/** More ranges than this no client sends. */
const mostRanges = 64;

/** `text/html;q=0.8, image/*` as ranges; a quality that cannot be read counts as 0. */
function rangesOf(accept: string): Range[] {
  return accept
    .split(',')
    .slice(0, mostRanges)
    .map(part => {
      const [type = '', ...parameters] = part.split(';').map(word => word.trim().toLowerCase());
      const quality = Number(parameters.find(word => word.startsWith('q='))?.slice(2) ?? 1);
      return { type, quality: quality >= 0 && quality <= 1 ? quality : 0 };
    })
    .filter(({ type }) => type !== '');
}

const fits = (range: string, type: string): boolean =>
  range === type || range === '*/*' || (range.endsWith('/*') && type.startsWith(range.slice(0, -1)));

/** A type beats a family of types beats anything (RFC 9110, 12.5.1). */
const specificity = (range: string): number => (range === '*/*' ? 0 : range.endsWith('/*') ? 1 : 2);

function qualityOf(type: string, ranges: readonly Range[]): number {
  const matching = ranges.filter(({ type: range }) => fits(range, type));
  matching.sort((a, b) => specificity(b.type) - specificity(a.type));
  return matching[0]?.quality ?? 0;
}

/**
 * The offered type the client wants most; of equal ones the first offered. No header means anything.
 * @returns undefined if none is acceptable
 */
export function negotiate(accept: string | null, offered: readonly string[]): string | undefined {
  const ranges = rangesOf(accept ?? '');
  if (ranges.length === 0) return offered[0];
  let best: string | undefined;
  let highest = 0;
  for (const type of offered) {
    const quality = qualityOf(type, ranges);
    if (quality > highest) [best, highest] = [type, quality];
  }
  return best;
}
