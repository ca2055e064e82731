/** Colours of classes for formats in which the colour is the class: all different, none black. */
import type { LabelClass } from './class-map.ts';
import { type Colour, colourOf, colourOfHex, distinctColours, hexOfColour } from './palette.ts';

/** Colour by class id: the class's own, or where another class has it before (or it is black) the first free one of the palette. */
export function classColours(classes: readonly LabelClass[]): Map<number, Colour> {
  const used = new Set(['#000000']);
  const chosen = new Map<number, Colour>();
  for (const { id, color } of classes) {
    if (used.has(color)) continue;
    used.add(color);
    chosen.set(id, colourOfHex(color)!);
  }
  let next = 1;
  for (const { id } of classes) {
    if (chosen.has(id)) continue;
    while (next <= distinctColours() && used.has(hexOfColour(colourOf(next)))) next++;
    const colour = next <= distinctColours() ? colourOf(next) : unusedColour(used);
    used.add(hexOfColour(colour));
    chosen.set(id, colour);
  }
  return chosen;
}

/** Beyond the palette: any colour that is free. */
function unusedColour(used: ReadonlySet<string>): Colour {
  let value = 1;
  while (used.has(`#${value.toString(16).padStart(6, '0')}`)) value++;
  return colourOfHex(`#${value.toString(16).padStart(6, '0')}`)!;
}
