/** One argument as a POSIX shell takes it, quoted only where needed. */

/** `out` → `out`, `my photos` → `'my photos'`, `it's` → `'it'\''s'`; a leading `-` is kept from being an option. */
export function shellWord(argument: string): string {
  const word = argument.startsWith('-') ? `./${argument}` : argument;
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
