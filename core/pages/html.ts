/** HTML from data: a template tag that escapes everything except HTML that it made itself. */

/** Finished markup. Only `html` and `trusted` make it, so a string from data can never pass for it. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template: text and numbers are escaped, lists are joined, what is missing is nothing. */
export type HtmlPart = string | number | Html | null | undefined | false | readonly HtmlPart[];

/** Template tag. Values may stand in text and in attributes within double quotes, nowhere else. */
export function html(strings: TemplateStringsArray, ...parts: HtmlPart[]): Html {
  return new Html(strings.reduce((page, string, i) => page + textOf(parts[i - 1]!) + string));
}

/** Markup written by us (style sheet, script), taken as it is. Never for anything that came from data. */
export const trusted = (markup: string): Html => new Html(markup);

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text for HTML: markup escaped, control characters shown as their pictures (␀, ␡), lone surrogates replaced by U+FFFD. */
export function escapeText(text: string): string {
  return text
    .replace(/[&<>"']/g, char => entities[char]!)
    .replace(/\p{Cc}/gu, controlPicture)
    .replace(/\p{Cs}/gu, '\ufffd');
}

function controlPicture(char: string): string {
  const code = char.charCodeAt(0);
  if (char === '\n' || char === '\t') return char;
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? '\u2421' : '\ufffd';
}

function textOf(part: HtmlPart): string {
  if (part === null || part === undefined || part === false) return '';
  if (part instanceof Html) return part.text;
  if (typeof part === 'object') return part.map(textOf).join('');
  return escapeText(String(part));
}
