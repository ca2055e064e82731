/** The fixed palette: one readable colour per label id, 0 black. Same id, same colour, in every file and page. */

/** [red, green, blue], 0 … 255. */
export type Colour = readonly [red: number, green: number, blue: number];

/** Gives an id its colour; `colourOf` is one. */
export type Palette = (id: number) => Colour;

/** Chosen by hand: names one can say aloud, light and dark in turn, none near black or white. */
const firstColours: readonly Colour[] = [
  [230, 25, 75], // red
  [60, 180, 75], // green
  [67, 99, 216], // blue
  [255, 225, 25], // yellow
  [245, 130, 49], // orange
  [145, 30, 180], // purple
  [66, 212, 244], // cyan
  [240, 50, 230], // magenta
  [154, 99, 36], // brown
  [191, 239, 69], // lime
  [250, 190, 212], // pink
  [70, 153, 144], // teal
  [128, 0, 0], // maroon
  [220, 190, 255], // lavender
  [128, 128, 0], // olive
  [170, 255, 195], // mint
  [0, 0, 150], // navy
  [255, 216, 177], // apricot
  [150, 150, 150], // grey
  [95, 60, 115], // plum
];

/** Steps of the grid that the further colours come from. */
const levels = [16, 36, 56, 76, 96, 116, 136, 156, 176, 196, 216, 236];
/** Grey values outside this range are too near to background black or to a white page. */
const readableGrey = { from: 60, to: 225 };

const greyOfColour = ([red, green, blue]: Colour) => 0.299 * red + 0.587 * green + 0.114 * blue;

/** Weighted squared distance of two colours, near to what eyes see (the "redmean" formula, compuphase.com/cmetric.htm). */
export function colourDistance(a: Colour, b: Colour): number {
  const mean = (a[0] + b[0]) / 2;
  const [red, green, blue] = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
  return ((512 + mean) * red * red) / 256 + 4 * green * green + ((767 - mean) * blue * blue) / 256;
}

/** The grid colours one can read, in grid order. */
function readableColours(): Colour[] {
  const grid = levels.flatMap(red => levels.flatMap(green => levels.map((blue): Colour => [red, green, blue])));
  return grid.filter(colour => {
    const grey = greyOfColour(colour);
    return grey >= readableGrey.from && grey <= readableGrey.to;
  });
}

/** The hand-picked colours, then always the candidate farthest from all before; worked out only as far as asked for. */
class FarthestFirst {
  readonly #candidates = readableColours();
  readonly #chosen = [...firstColours];
  /** Per candidate: distance to the nearest chosen colour; 0 once it is chosen itself. */
  readonly #gaps = this.#candidates.map(colour =>
    Math.min(...firstColours.map(chosen => colourDistance(colour, chosen))),
  );

  get count(): number {
    return firstColours.length + this.#candidates.length;
  }

  colour(index: number): Colour {
    while (this.#chosen.length <= index) this.#chooseNext();
    return this.#chosen[index]!;
  }

  #chooseNext(): void {
    let farthest = 0;
    for (let i = 1; i < this.#gaps.length; i++) if (this.#gaps[i]! > this.#gaps[farthest]!) farthest = i;
    const next = this.#candidates[farthest]!;
    this.#chosen.push(next);
    for (let i = 0; i < this.#gaps.length; i++) {
      this.#gaps[i] = Math.min(this.#gaps[i]!, colourDistance(this.#candidates[i]!, next));
    }
  }
}

let colours: FarthestFirst | undefined;
const sequence = () => {
  colours ??= new FarthestFirst();
  return colours;
};

/** How many ids have a colour of their own (background not counted). */
export const distinctColours = (): number => sequence().count;

/** Colour of an id: 0 is black; the first `distinctColours()` ids all differ, then the colours repeat. @param id 0, 1, 2, … */
export function colourOf(id: number): Colour {
  if (id === 0) return [0, 0, 0];
  return sequence().colour((id - 1) % distinctColours());
}

/** `#rrggbb` of a colour. */
export const hexOfColour = (colour: Colour): string =>
  `#${colour.map(channel => channel.toString(16).padStart(2, '0')).join('')}`;

/** `#rrggbb` of an id. */
export const hexOf = (id: number): string => hexOfColour(colourOf(id));

/** Reads `#rrggbb`; undefined if it is not written so. */
export function colourOfHex(hex: string): Colour | undefined {
  if (!/^#[0-9a-fA-F]{6}$/.test(hex)) return undefined;
  const value = Number.parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}
