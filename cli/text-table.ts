/** Columns of text for a terminal. */

/** Characters that take two columns: East Asian wide ones and pictures. */
const wide =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60]/u;
/** Characters that take none: marks on the one before. */
const narrow = /\p{Mn}|\p{Me}|\u200d/u;

/** Columns that a text takes, colour codes not counted. */
export function textWidth(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes begin with one
  const plain = text.replaceAll(/\u001b\[[\d;]*m/g, '');
  return [...plain].reduce(
    (width, character) => width + (wide.test(character) ? 2 : narrow.test(character) ? 0 : 1),
    0,
  );
}

/** Rows as lines, columns two spaces apart. @param align per column; the default is left */
export function textTable(rows: readonly (readonly string[])[], align: readonly ('left' | 'right')[] = []): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, textWidth(cell));
  }
  const padded = (cell: string, i: number) => {
    const blank = ' '.repeat(widths[i]! - textWidth(cell));
    return align[i] === 'right' ? blank + cell : cell + blank;
  };
  return rows.map(row => `${row.map(padded).join('  ').trimEnd()}\n`).join('');
}
