/** Arithmetic on dimensions that may be symbols: `H` and 3 make `H+3`; equal formulas give equal texts. */

/** A size: a number, or the name of a size known when the graph runs (`N`, `H`, `floor((H+1)/2)`). */
export type Dim = number | string;

/** `[N,3,H,W]`. */
export const formatDims = (dims: readonly Dim[]) => `[${dims.join(',')}]`;

/** A symbol and a whole number added to it: `H-1` → `H`, −1. */
function terms(dim: Dim): { symbol: string; offset: number } {
  if (typeof dim === 'number') return { symbol: '', offset: dim };
  const match = /^(.+?)([+-]\d+)$/.exec(dim);
  return match ? { symbol: match[1]!, offset: Number(match[2]) } : { symbol: dim, offset: 0 };
}

function joined(symbol: string, offset: number): Dim {
  if (symbol === '') return offset;
  if (offset === 0) return symbol;
  return `${symbol}${offset > 0 ? '+' : ''}${offset}`;
}

/** Where an operator stands outside all brackets. */
function topLevel(text: string, operators: string): number {
  for (let i = 1, depth = 0; i < text.length; i++) {
    if (text[i - 1] === '(') depth++;
    else if (text[i - 1] === ')') depth--;
    if (depth === 0 && operators.includes(text[i]!)) return i;
  }
  return -1;
}

const bracketed = (symbol: string) => (topLevel(symbol, '+-') < 0 ? symbol : `(${symbol})`);

/** Without brackets around the whole: `(H+1)` → `H+1`, but `(H+1)*(W+1)` stays. */
const unbracketed = (symbol: string) =>
  symbol.startsWith('(') && topLevel(symbol, '+-*') < 0 ? symbol.slice(1, -1) : symbol;

/** a + b. */
export function plus(a: Dim, b: Dim): Dim {
  const left = terms(a);
  const right = terms(b);
  const offset = left.offset + right.offset;
  if (left.symbol === '' || right.symbol === '') return joined(left.symbol + right.symbol, offset);
  if (left.symbol === right.symbol) return joined(String(times(2, left.symbol)), offset);
  return joined([left.symbol, right.symbol].sort().join('+'), offset);
}

/** a − b. */
export function minus(a: Dim, b: Dim): Dim {
  const left = terms(a);
  const right = terms(b);
  const offset = left.offset - right.offset;
  if (left.symbol === right.symbol) return offset;
  if (right.symbol === '') return joined(left.symbol, offset);
  return joined(`${left.symbol || '0'}-${bracketed(right.symbol)}`, offset);
}

/** A product as a number and the symbols it is multiplied with, in alphabetical order. */
function factors(dim: Dim): { coefficient: number; symbols: string[] } {
  if (typeof dim === 'number') return { coefficient: dim, symbols: [] };
  if (topLevel(dim, '+-') >= 0) return { coefficient: 1, symbols: [`(${dim})`] };
  const symbols: string[] = [];
  let coefficient = 1;
  for (let rest = dim; rest !== ''; ) {
    const end = topLevel(rest, '*');
    const factor = end < 0 ? rest : rest.slice(0, end);
    if (/^\d+$/.test(factor)) coefficient *= Number(factor);
    else symbols.push(factor);
    rest = end < 0 ? '' : rest.slice(end + 1);
  }
  return { coefficient, symbols };
}

function product(coefficient: number, symbols: readonly string[]): Dim {
  if (coefficient === 0 || symbols.length === 0) return coefficient;
  if (coefficient === 1 && symbols.length === 1) return unbracketed(symbols[0]!);
  return [...(coefficient === 1 ? [] : [coefficient]), ...[...symbols].sort()].join('*');
}

/** a · b. */
export function times(a: Dim, b: Dim): Dim {
  const left = factors(a);
  const right = factors(b);
  return product(left.coefficient * right.coefficient, [...left.symbols, ...right.symbols]);
}

/** The product of all dims; 1 for none. */
export const elementCount = (dims: readonly Dim[]): Dim => dims.reduce(times, 1);

/** a / b where it comes out even by cancelling; otherwise undefined. */
export function dividedEvenly(a: Dim, b: Dim): Dim | undefined {
  const above = factors(a);
  const below = factors(b);
  const symbols = [...above.symbols];
  for (const symbol of below.symbols) {
    const at = symbols.indexOf(symbol);
    if (at < 0) return undefined;
    symbols.splice(at, 1);
  }
  const coefficient = above.coefficient / below.coefficient;
  return Number.isInteger(coefficient) ? product(coefficient, symbols) : undefined;
}

/** The inside and the divisor of `floor(…/n)`, if the symbol is one such formula. */
function quotient(symbol: string): { inside: Dim; divisor: number } | undefined {
  const match = /^floor\((.*)\/(\d+)\)$/.exec(symbol);
  if (!match || topLevel(symbol, '+-*') >= 0) return undefined;
  return { inside: unbracketed(match[1]!), divisor: Number(match[2]) };
}

/** ⌊a / divisor⌋ for a divisor ≥ 1. Floors of floors become one: ⌊(⌊H/2⌋+1)/2⌋ = ⌊(H+2)/4⌋. */
export function floorDivided(a: Dim, divisor: number): Dim {
  if (typeof a === 'number') return Math.floor(a / divisor);
  const even = dividedEvenly(a, divisor);
  if (even !== undefined) return even;
  const { symbol, offset } = terms(a);
  const inner = quotient(symbol);
  if (inner) return floorDivided(plus(inner.inside, offset * inner.divisor), inner.divisor * divisor);
  return `floor(${bracketed(a)}/${divisor})`;
}

/** ⌈a / divisor⌉. */
export const ceilDivided = (a: Dim, divisor: number): Dim => floorDivided(plus(a, divisor - 1), divisor);

/**
 * One size for two that must be the same: numbers are compared, a symbol gives way to a number.
 * Two different symbols may well be equal at run time, so the first stands. Undefined if they cannot be equal.
 */
export function merged(a: Dim, b: Dim): Dim | undefined {
  if (typeof a === 'string') return b === a || typeof b === 'string' ? a : b;
  return typeof b === 'string' || a === b ? a : undefined;
}

/** The smaller of two. */
export function smaller(a: Dim, b: Dim): Dim {
  if (a === b) return a;
  return typeof a === 'number' && typeof b === 'number' ? Math.min(a, b) : `min(${a},${b})`;
}
