/** Parsers of option values: a wrong value is said with what would be right. */
import { extname } from 'node:path';
import { InvalidArgumentError } from 'commander';

/** Digits only, so at least 0. */
export const integer =
  (low: number, high: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < low || value > high)
      throw new InvalidArgumentError(`expected a whole number from ${low} to ${high}`);
    return value;
  };

export const oneOf =
  (...choices: string[]) =>
  (text: string): string => {
    if (!choices.includes(text)) throw new InvalidArgumentError(`expected one of: ${choices.join(', ')}`);
    return text;
  };

export function thresholdOption(text: string): 'from-scores' | 'from-masks' | number {
  if (text === 'from-scores' || text === 'from-masks') return text;
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value))
    throw new InvalidArgumentError('expected from-scores, from-masks or a number');
  return value;
}

export function clustersOption(text: string): 'auto' | number {
  if (text === 'auto') return text;
  try {
    return integer(2, 60_000)(text);
  } catch {
    throw new InvalidArgumentError('expected auto or a whole number from 2 to 60000');
  }
}

/** Above 0. */
export function positive(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value <= 100_000))
    throw new InvalidArgumentError('expected a number above 0, at most 100000');
  return value;
}

/** A number from 0 to 1. */
export function share(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1))
    throw new InvalidArgumentError('expected a number from 0 to 1');
  return value;
}

export const listOfIntegers = (text: string, before: number[] = []): number[] => [
  ...before,
  ...text.split(',').map(part => integer(0, 65_535)(part.trim())),
];

/** A name that can be part of a path everywhere. */
export function nameOption(text: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(text)) return text;
  throw new InvalidArgumentError(
    'expected letters, digits, ".", "_" and "-", at most 63, beginning with a letter or digit',
  );
}

/** A network's file, or the name of something built in. */
export const networkOr =
  (...builtIn: string[]) =>
  (text: string): string => {
    if (builtIn.includes(text) || extname(text) === '.onnx') return text;
    throw new InvalidArgumentError(`expected an .onnx file or ${builtIn.join(', ')}`);
  };
