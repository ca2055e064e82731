/** Label maps as annotators and models leave them: ragged outlines of a few objects, and a guess at each such map. */
import type { LabelMap } from '#core/labels/label-map';
import { Random, seedOf } from '#core/random';

export const width = 500;
export const height = 375;
export const classes = 919;
const harmonics = 48;
const corners = 480;

/** A closed line: radius by direction, as waves that get smaller as they get finer. */
interface Outline {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly waves: readonly { readonly depth: number; readonly phase: number }[];
}

function outline(random: Random, radius: number, roughness = 0.25): Outline {
  const waves = Array.from({ length: harmonics }, (_, k) => ({
    depth: (roughness * random.normal()) / (k + 1) ** 1.2,
    phase: 2 * Math.PI * random.uniform(),
  }));
  return { x: width * (0.2 + 0.6 * random.uniform()), y: height * (0.2 + 0.6 * random.uniform()), radius, waves };
}

/** The same object, not quite hit: moved a little, every wave somewhat off. */
function guess(random: Random, { x, y, radius, waves }: Outline): Outline {
  const near = (value: number, by: number) => value + by * random.normal();
  return {
    x: near(x, 6),
    y: near(y, 6),
    radius: radius * (0.85 + 0.3 * random.uniform()),
    waves: waves.map(({ depth, phase }, k) => ({ depth: near(depth, 0.06 / (k + 1) ** 0.9), phase: near(phase, 0.3) })),
  };
}

/** Fills the outline row by row, between where its edges cross the row. */
function fill({ data }: LabelMap, shape: Outline, id: number): void {
  const crossings: number[][] = Array.from({ length: height }, () => []);
  let [x0, y0] = corner(shape, corners - 1);
  for (let i = 0; i < corners; i++) {
    const [x1, y1] = corner(shape, i);
    const [top, bottom] = y0 < y1 ? [y0, y1] : [y1, y0];
    for (let y = Math.max(0, Math.ceil(top)); y < Math.min(height, bottom); y++)
      crossings[y]!.push(x0 + ((y - y0) / (y1 - y0)) * (x1 - x0));
    [x0, y0] = [x1, y1];
  }
  for (const [y, row] of crossings.entries()) {
    row.sort((a, b) => a - b);
    for (let i = 0; i + 1 < row.length; i += 2) {
      const from = Math.max(0, Math.ceil(row[i]!));
      const to = Math.min(width, Math.ceil(row[i + 1]!));
      if (from < to) data.fill(id, y * width + from, y * width + to);
    }
  }
}

function corner({ x, y, radius, waves }: Outline, i: number): [x: number, y: number] {
  const angle = (2 * Math.PI * i) / corners;
  let length = 1;
  for (const [k, { depth, phase }] of waves.entries()) length += depth * Math.cos((k + 1) * angle + phase);
  return [x + radius * Math.max(0.05, length) * Math.cos(angle), y + radius * Math.max(0.05, length) * Math.sin(angle)];
}

const emptyMap = (): LabelMap => ({ width, height, data: new Uint16Array(width * height) });

/**
 * A mask with one to three classes, now and then an ignored part, and a label map for it: objects nearly hit, parts of them taken for
 * another cluster, and islands elsewhere. Cluster ids are class ids in another order.
 */
export function maskAndGuess(index: number): { truth: LabelMap; prediction: LabelMap } {
  const random = new Random(seedOf('outlines', index));
  const [truth, prediction] = [emptyMap(), emptyMap()];
  const anyCluster = () => 1 + random.integer(classes);
  for (let count = 1 + random.integer(3); count > 0; count--) {
    const id = anyCluster();
    const shape = outline(random, 25 + random.integer(130));
    fill(truth, shape, id);
    fill(prediction, guess(random, shape), random.uniform() < 0.6 ? 1 + ((7 * id) % classes) : anyCluster());
    if (random.uniform() < 0.5) fill(prediction, outline(random, shape.radius / 2), anyCluster());
  }
  for (let islands = random.integer(6); islands > 0; islands--)
    fill(prediction, outline(random, 4 + random.integer(12), 0.5), anyCluster());
  if (random.uniform() < 0.1) fill(truth, outline(random, 30), 1000);
  return { truth, prediction };
}
