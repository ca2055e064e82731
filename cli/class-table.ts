/** The classes of a run as a table for a terminal. */
import type { ClassMap } from '#core/labels/class-map';
import { type LabelCounts, type Occurrence, occurrence, occurrenceOfClass } from '#core/labels/label-counts';
import { colourOfHex } from '#core/labels/palette';
import { textTable } from './text-table.ts';

const mostClusters = 8;

/** A patch of the colour, where colours can be shown, else its name. */
function swatch(color: string, coloured: boolean): string {
  if (!coloured) return color;
  return `\u001b[48;2;${colourOfHex(color)!.join(';')}m    \u001b[0m`;
}

const grouped = (count: number) => count.toLocaleString('en-US');

function share(pixels: number, all: number): string {
  return all === 0 ? '' : `${((100 * pixels) / all).toFixed(1)} %`;
}

function clusterList(clusters: readonly number[]): string {
  const more = clusters.length - mostClusters;
  return `${clusters.slice(0, mostClusters).join(' ')}${more > 0 ? ` +${more}` : ''}`;
}

/** Pixels of all images. */
const allPixels = ({ pixels }: LabelCounts) => pixels.reduce((sum, [, count]) => sum + count, 0);

/** One line per class, background first. @param coloured whether the terminal shows colours */
export function classTable({ classes }: ClassMap, counts: LabelCounts, coloured: boolean): string {
  const all = allPixels(counts);
  const cells = ({ images, pixels }: Occurrence) => [grouped(images), grouped(pixels), share(pixels, all)];
  const background = occurrence(counts, new Set([0]));
  const rows = classes.map(item => [
    String(item.id),
    swatch(item.color, coloured),
    item.name,
    clusterList(item.clusters),
    ...cells(occurrenceOfClass(counts, item)),
    item.ignore ? 'ignored' : '',
  ]);
  const head = ['id', 'color', 'name', 'clusters', 'images', 'pixels', 'share', ''];
  const first = ['0', '', 'background', '', ...cells(background), ''];
  return textTable([head, first, ...rows], ['right', 'left', 'left', 'left', 'right', 'right', 'right', 'left']);
}

/** The same for programs. */
export function classList({ version, classes }: ClassMap, counts: LabelCounts): object {
  return {
    version,
    images: counts.images,
    background: occurrence(counts, new Set([0])),
    classes: classes.map(item => ({ ...item, ...occurrenceOfClass(counts, item) })),
  };
}
