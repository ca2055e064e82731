/** A strict reader of our own markup: stricter than browsers, so that anything unusual is an error. */

export interface Tag {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
}

export interface Markup {
  readonly tags: readonly Tag[];
  /** Text between tags, entities resolved, without style and script. */
  readonly text: string;
}

const voidTags = new Set(['meta', 'img', 'input', 'br']);
const rawTags = new Set(['style', 'script']);
const attribute = /\s+([a-zA-Z-]+)(?:="([^"<>]*)")?/gy;

/** @throws Error where a tag is not closed, an attribute not in double quotes, a `<` or `&` not escaped. */
export function readMarkup(page: string): Markup {
  const tags: Tag[] = [];
  const open: string[] = [];
  let text = '';
  let at = page.startsWith('<!doctype html>') ? 15 : 0;
  while (at < page.length) {
    const next = page.indexOf('<', at);
    const words = page.slice(at, next < 0 ? undefined : next);
    text += plainText(words);
    if (next < 0) break;
    const close = /<\/([a-z0-9]+)>/y;
    close.lastIndex = next;
    const closing = close.exec(page);
    if (closing) {
      if (open.pop() !== closing[1]) throw new Error(`</${closing[1]}> closes something else near ${near(page, next)}`);
      at = close.lastIndex;
      continue;
    }
    const tag = openingTag(page, next);
    tags.push({ name: tag.name, attributes: tag.attributes });
    at = tag.end;
    if (rawTags.has(tag.name)) at = page.indexOf(`</${tag.name}>`, at);
    if (!voidTags.has(tag.name) && !tag.closed) open.push(tag.name);
  }
  if (open.length > 0) throw new Error(`not closed: ${open.join(' ')}`);
  return { tags, text };
}

function openingTag(page: string, at: number): Tag & { end: number; closed: boolean } {
  const opening = /<([a-z][a-z0-9]*)/y;
  opening.lastIndex = at;
  const name = opening.exec(page)?.[1];
  if (!name) throw new Error(`a stray < near ${near(page, at)}`);
  const attributes = new Map<string, string>();
  attribute.lastIndex = opening.lastIndex;
  let end = opening.lastIndex;
  for (let found = attribute.exec(page); found; found = attribute.exec(page)) {
    if (attributes.has(found[1]!)) throw new Error(`${found[1]} twice near ${near(page, at)}`);
    attributes.set(found[1]!, plainText(found[2] ?? ''));
    end = attribute.lastIndex;
  }
  const tail = /\s*(\/?)>/y;
  tail.lastIndex = end;
  const ending = tail.exec(page);
  if (!ending) throw new Error(`a tag does not end near ${near(page, at)}`);
  return { name, attributes, end: tail.lastIndex, closed: ending[1] === '/' };
}

const characters: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

function plainText(text: string): string {
  const bare = text.replace(/&(amp|lt|gt|quot|#39);/g, '');
  if (/[&<]/.test(bare)) throw new Error(`not escaped: ${text.slice(0, 80)}`);
  return text.replace(/&([a-z0-9#]+);/g, (_, entity: string) => characters[entity]!);
}

const near = (page: string, at: number): string => JSON.stringify(page.slice(Math.max(0, at - 40), at + 80));
