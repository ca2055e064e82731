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
  const names = new Map<string, string>();
  for (const input of inputs) names.set(input, stemOf(input));
  for (let settled = false; !settled; ) {
    const sharing = inputsThatShare(names);
    for (const input of sharing) names.set(input, input);
    settled = sharing.size === 0;
  }
  for (const [input, name] of names) names.set(input, `${name}.png`);
  return names;
}

/** Inputs whose name another one has too. */
function inputsThatShare(names: ReadonlyMap<string, string>): Set<string> {
  const first = new Map<string, string>();
  const sharing = new Set<string>();
  for (const [input, name] of names) {
    const other = first.get(name);
    if (other === undefined) first.set(name, input);
    else sharing.add(input).add(other);
  }
  return sharing;
}
