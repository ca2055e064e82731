/** Keys in a network's settings that say nothing because they are not spelt as expected, or stand elsewhere. */

const inputKeys = 'name type shape layout size channel_order scale mean std'.split(' ');
const featureKeys = 'name tensor channels stride layout prefix_tokens grid'.split(' ');
const entryKeys = 'file input outputs inner_features projection'.split(' ');

/** Insertions, deletions and replacements that turn one word into the other (Levenshtein). */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++)
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + (letter === b[j] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}

const plain = (word: string) => word.toLowerCase().replace(/[^a-z0-9]/g, '');

/** The key that was meant; undefined for words of one's own. */
function meant(key: string, known: readonly string[]): string | undefined {
  if (known.includes(key)) return undefined;
  return known.find(one => edits(plain(key), plain(one)) <= (one.length > 4 ? 2 : 1));
}

/** What says how pixels become numbers, and nothing else, means nothing beside `input`. */
const onlyOfInput = ['channel_order', 'scale', 'mean', 'std'];

const misplaced = (json: unknown): string[] =>
  keysOf(json).flatMap(key => (onlyOfInput.includes(key) ? [`${key} (input.${key}?)`] : []));

const keysOf = (value: unknown) => (typeof value === 'object' && value !== null ? Object.keys(value) : []);

/** `input.chanel_order (channel_order?)`, `mean (input.mean?)`. Notes of one's own under other names are no mistakes. */
export function misspeltKeys(json: unknown): string[] {
  const { input, outputs, inner_features: inner } = (json ?? {}) as Record<string, unknown>;
  const places = [
    { place: '', value: json, known: entryKeys },
    { place: 'input.', value: input, known: inputKeys },
    ...[outputs, inner].flat().map(value => ({ place: '', value, known: featureKeys })),
  ];
  const misspelt = places.flatMap(({ place, value, known }) =>
    keysOf(value).flatMap(key => {
      const right = meant(key, known);
      return right && !keysOf(value).includes(right) ? [`${place}${key} (${right}?)`] : [];
    }),
  );
  return [...misspelt, ...misplaced(json)];
}
