/** Names of label map files: `a/b.jpg` → `a/b.png`, below the folder of label maps. */

/** `a/b.c.jpg` → `a/b.c`: the stem ends at the last dot of the last part; a part without a dot, or beginning with its only dot, is all stem. */
export function stemOf(path: string): string {
  const dot = path.lastIndexOf('.');
  return dot > path.lastIndexOf('/') + 1 ? path.slice(0, dot) : path;
}

/**
 * The label map's path of each input. Where two inputs would get the same, both keep their extension (`b.jpg.png`,
 * `b.png.png`), and so does every input that meets such a name. Does not depend on the order of the inputs.
 * @param inputs paths relative to the images' folder, all inputs of a job
 */
export function labelPaths(inputs: readonly string[]): Map<string, string> {
  const names = new Map(inputs.map(input => [input, stemOf(input)]));
  for (let settled = false; !settled; ) {
    settled = true;
    const sharers = new Map<string, string[]>();
    for (const [input, name] of names) sharers.set(name, [...(sharers.get(name) ?? []), input]);
    for (const [, sharing] of sharers) {
      if (sharing.length === 1) continue;
      for (const input of sharing) names.set(input, input);
      settled = false;
    }
  }
  return new Map([...names].map(([input, name]) => [input, `${name}.png`]));
}
