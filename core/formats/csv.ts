/**
 * Tables as text (RFC 4180): fields with comma, quote or line end stand in quotes, a quote within is doubled.
 *
 * Example: the fields `a,b.jpg`, `5"` and `7` are written `"a,b.jpg","5""",7`. Lines end with a line feed; CR LF is read too.
 */
import { PermanentError } from '../errors.ts';

const quoted = (field: string) => (/[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field);

/** One line, with its end. */
export const csvLine = (fields: readonly (string | number)[]): string =>
  `${fields.map(field => quoted(String(field))).join(',')}\n`;

/** One field from `at` on, and where it ends. */
function readField(text: string, at: number, name: string): { field: string; end: number } {
  if (text[at] !== '"') {
    let end = at;
    while (end < text.length && text[end] !== ',' && text[end] !== '\n' && text[end] !== '\r') end++;
    return { field: text.slice(at, end), end };
  }
  let field = '';
  for (let from = at + 1; ; ) {
    const quote = text.indexOf('"', from);
    if (quote < 0) throw new PermanentError(`${name}: a quote is opened and never closed`);
    field += text.slice(from, quote);
    if (text[quote + 1] !== '"') return { field, end: quote + 1 };
    field += '"';
    from = quote + 2;
  }
}

/**
 * Rows of fields, one after the other. A last line end is no row; a byte-order mark is passed over.
 * @throws PermanentError if a quote is never closed or text follows a closing quote
 */
export function* csvRows(text: string, name = 'the table'): Generator<string[]> {
  let count = 0;
  let row: string[] = [];
  for (let at = text.startsWith('\ufeff') ? 1 : 0; at < text.length; ) {
    const { field, end } = readField(text, at, name);
    row.push(field);
    const lineEnd = /^\r?\n|^\r|^$/.exec(text.slice(end, end + 2));
    if (text[end] === ',') {
      at = end + 1;
      if (at < text.length) continue;
      row.push('');
    } else if (!lineEnd) throw new PermanentError(`${name}: line ${count + 1} has text after a closing quote`);
    else at = end + lineEnd[0].length;
    yield row;
    count++;
    row = [];
  }
}

/** All rows at once. */
export const parseCsv = (text: string, name?: string): string[][] => [...csvRows(text, name)];
