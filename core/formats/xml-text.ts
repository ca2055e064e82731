/** Text within XML 1.0: attribute values and content. */

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};

/** Escapes for attributes and content alike. Characters that XML cannot hold at all become U+FFFD. */
export const xmlText = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML cannot hold
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
    .replaceAll(/[&<>"'\t\n\r]/g, character => entities[character]!);

/** An opening tag with attributes, in their order; `close` makes it an empty element. */
export function xmlTag(name: string, attributes: Record<string, string | number>, close = false): string {
  const text = Object.entries(attributes).map(([key, value]) => ` ${key}="${xmlText(String(value))}"`);
  return `<${name}${text.join('')}${close ? '/' : ''}>`;
}
