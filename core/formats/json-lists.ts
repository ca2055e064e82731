/** A JSON document of long lists, written entry by entry: only its bytes are held. */
import { TextParts } from './text-parts.ts';

/** Entries of one list of a document. */
export class JsonList {
  readonly #text = new TextParts();
  #count = 0;

  get length(): number {
    return this.#count;
  }

  add(entry: unknown): void {
    const text = JSON.stringify(entry, null, 2).replaceAll('\n', '\n    ');
    this.#text.add(`${this.#count++ ? ',' : ''}\n    ${text}`);
  }

  /** Moves the list into a text. */
  endIn(text: TextParts): void {
    text
      .add('[')
      .append(this.#text)
      .add(this.#count ? '\n  ]' : ']');
  }
}

/**
 * The lists by their names, then the rest: the bytes that JSON with two spaces and a final newline has of the whole.
 * @param rest not empty
 */
export function jsonOfLists(lists: Readonly<Record<string, JsonList>>, rest: object): Uint8Array {
  const text = new TextParts().add('{\n');
  for (const [name, list] of Object.entries(lists)) {
    text.add(`  ${JSON.stringify(name)}: `);
    list.endIn(text);
    text.add(',\n');
  }
  return text.add(`${JSON.stringify(rest, null, 2).slice('{\n'.length)}\n`).bytes();
}
