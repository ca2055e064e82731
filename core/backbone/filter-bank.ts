/** The built-in backbone: colour and texture measured by fixed filters, so that the first command needs no download. */
import { toModel } from '../graph/model.ts';
import {
  add,
  averagePool,
  concat,
  conv,
  div,
  exp,
  log,
  mul,
  pad,
  reduceSum,
  relu,
  slice,
  split,
  sqrt,
  sub,
} from '../graph/ops.ts';
import { constant, input, scope, type Tensor } from '../graph/tensor.ts';

/** What `backboneSettings` reads for the filter bank: RGB scaled to 0 … 1, nothing subtracted. */
export const filterBankEntry = {
  input: { name: 'image', channel_order: 'RGB', scale: 1 / 255, mean: [0, 0, 0], std: [1, 1, 1] },
  outputs: [{ name: 'fine' }, { name: 'deep' }],
};

/** All measurements are brought to a grid of this stride before they are averaged over windows. */
const gridStride = 4;

/** Windows in pixels. Wider ones for `deep` mix neighbouring objects: 48 separated generated scenes better than 64. */
const maps = [
  { name: 'fine', stride: 16, window: 32 },
  { name: 'deep', stride: 32, window: 48 },
] as const;

const orientations = 6;
const scales = 3;

/**
 * How much each kind of measurement counts in a cosine. Chosen on generated scenes, so that colour and texture each
 * separate what the other cannot; photos (Caltech-101, COCO) hardly tell these choices apart.
 */
const weights = {
  colours: 1.5,
  meanColour: 0.7,
  colourSpread: 0.25,
  energy: 1,
  direction: 0.15,
  anisotropy: 0.9,
  colourEdges: 0.3,
  texture: 0.4,
};

/** Energies below this (a contrast of about 1 % behind a normalised filter) count as flat. */
const flatEnergy = 1.5e-4;

type Row = readonly number[];

const matrix = (rows: readonly Row[]) => constant(Float32Array.from(rows.flat()), [rows.length, rows[0]!.length, 1, 1]);
const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const total = (values: Row) => values.reduce((a, b) => a + b, 0);
const channels = (x: Tensor, from: number, to: number) => slice(x, { starts: [from], ends: [to], axes: [1] });

/** Rows: luminance, red against green, blue against yellow. The last two are of unit length and sum to 0. */
const opponentRows: readonly Row[] = [
  [1 / 3, 1 / 3, 1 / 3],
  [Math.SQRT1_2, -Math.SQRT1_2, 0],
  [1 / Math.sqrt(6), 1 / Math.sqrt(6), -2 / Math.sqrt(6)],
];

/** Half the size, rounded up. */
const halved = (x: Tensor) => averagePool(x, { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 });

/** A map of a stride below the grid's, averaged onto the grid. */
function onGrid(x: Tensor, stride: number): Tensor {
  const step = gridStride / stride;
  return step === 1 ? x : averagePool(x, { kernel_shape: [step, step], strides: [step, step], ceil_mode: 1 });
}

/** Convolves one channel with square kernels; beyond its border the image is mirrored, so that it has no edge there. */
function filtered(x: Tensor, kernels: readonly Row[]): Tensor {
  const size = Math.sqrt(kernels[0]!.length);
  const border = (size - 1) / 2;
  const padded = pad(x, { pads: [0, 0, border, border, 0, 0, border, border], mode: 'reflect' });
  return conv(padded, constant(Float32Array.from(kernels.flat()), [kernels.length, 1, size, size]));
}

/** Kernel values at integer offsets from the centre, row by row. */
const kernel = (radius: number, value: (x: number, y: number) => number): number[] =>
  range(2 * radius + 1).flatMap(row => range(2 * radius + 1).map(column => value(column - radius, row - radius)));

/**
 * Gabor filters 9×9, wavelength 4.5 pixels: for each orientation a cosine, then for each a sine. Without mean, and scaled
 * so that values add up to 1 in amount (J. Daugman, 1985, Uncertainty relation for resolution in space …).
 */
function gaborPairs(): number[][] {
  const [radius, wavelength, sigma] = [4, 4.5, 2.2];
  const bell = kernel(radius, (x, y) => Math.exp(-(x * x + y * y) / (2 * sigma * sigma)));
  return [Math.cos, Math.sin].flatMap(wave =>
    range(orientations).map(i => {
      const angle = (Math.PI * i) / orientations;
      const phase = kernel(radius, (x, y) => (2 * Math.PI * (x * Math.cos(angle) + y * Math.sin(angle))) / wavelength);
      const values = bell.map((height, at) => height * wave(phase[at]!));
      const mean = total(values) / total(bell);
      const balanced = values.map((value, at) => value - mean * bell[at]!);
      const amount = total(balanced.map(Math.abs));
      return balanced.map(value => value / amount);
    }),
  );
}

/** Squared length of each quadrature pair: how strongly one channel is striped in each direction, whatever the phase. */
function orientedEnergy(x: Tensor): Tensor {
  const response = filtered(x, gaborPairs());
  const [even, odd] = split(mul(response, response), { axis: 1, split: [orientations, orientations] });
  return add(even!, odd!);
}

/** Pairs of level (0), edge (1), spot (2) and ripple (3) profiles; both orders of a pair are one measurement. */
const lawsPairs: readonly (readonly [number, number])[] = [
  [0, 1],
  [0, 2],
  [0, 3],
  [1, 2],
  [1, 1],
  [2, 2],
  [3, 3],
];

/** Products of two profiles, all pairs down × across, then all across × down (K. Laws, 1980, Textured image segmentation). */
function lawsKernels(): number[][] {
  const profiles = [
    [1, 4, 6, 4, 1],
    [-1, -2, 0, 2, 1],
    [-1, 0, 2, 0, -1],
    [1, -4, 6, -4, 1],
  ];
  return [...lawsPairs, ...lawsPairs.map(([a, b]) => [b, a] as const)].map(([down, across]) => {
    const product = profiles[down]!.flatMap(a => profiles[across]!.map(b => a * b));
    const amount = total(product.map(Math.abs));
    return product.map(value => value / amount);
  });
}

/** Energy of each pair of Laws' filters on one channel. */
function textureEnergy(x: Tensor): Tensor {
  const response = filtered(x, lawsKernels());
  const count = lawsPairs.length;
  const [down, across] = split(mul(response, response), { axis: 1, split: [count, count] });
  return mul(add(down!, across!), constant(0.5));
}

/**
 * How much a pixel belongs to each of 64 colours on a lattice over the RGB cube: softmax of −sharpness · distance², with
 * luminance counting less than hue. The square of the pixel itself cancels, which leaves a linear map.
 */
function colourMembership(opponent: Tensor): Tensor {
  const [levels, sharpness, luminance] = [4, 40, 0.6];
  const steps = range(levels).map(i => i / (levels - 1));
  const lattice = steps.flatMap(red => steps.flatMap(green => steps.map(blue => [red, green, blue])));
  const stretch = [luminance, 1, 1];
  const centres = lattice.map(rgb =>
    opponentRows.map((row, axis) => stretch[axis]! * total(row.map((part, i) => part * rgb[i]!))),
  );
  const slopes = centres.map(centre => centre.map((value, axis) => 2 * sharpness * stretch[axis]! * value));
  const offsets = centres.map(centre => -sharpness * total(centre.map(value => value * value)));
  // exp of at most sharpness · |pixel|² ≤ 40 cannot overflow, and is much faster than Softmax across channels.
  const closeness = exp(conv(opponent, matrix(slopes), constant(Float32Array.from(offsets))));
  return div(closeness, conv(closeness, matrix([centres.map(() => 1)])));
}

/** Everything that is averaged over windows, on the grid, by kind. */
function measurements(
  image: Tensor,
): Readonly<Record<'energy' | 'colourEdges' | 'texture' | 'colours' | 'mean' | 'square', Tensor>> {
  const opponent = conv(image, matrix(opponentRows));
  const pyramid = [opponent];
  while (pyramid.length < scales) pyramid.push(halved(pyramid.at(-1)!));
  const energy = pyramid.map((level, i) => onGrid(orientedEnergy(channels(level, 0, 1)), 2 ** i));
  const colourEdges = pyramid
    .slice(1)
    .flatMap((level, i) =>
      [1, 2].map(axis =>
        onGrid(reduceSum(orientedEnergy(channels(level, axis, axis + 1)), { axes: [1] }), 2 ** (i + 1)),
      ),
    );
  return {
    energy: concat(energy, { axis: 1 }),
    colourEdges: concat(colourEdges, { axis: 1 }),
    texture: onGrid(textureEnergy(channels(opponent, 0, 1)), 1),
    colours: onGrid(colourMembership(pyramid[1]!), 2),
    mean: onGrid(opponent, 1),
    square: onGrid(mul(opponent, opponent), 1),
  };
}

/** Means over windows that are centred on the cells of a coarser stride; ⌈size / stride⌉ cells. */
function windowMeans(x: Tensor, stride: number, window: number): Tensor {
  const [step, size] = [stride / gridStride, window / gridStride];
  const before = (size - step) / 2;
  const after = before + step - 1;
  return averagePool(x, { kernel_shape: [size, size], strides: [step, step], pads: [before, before, after, after] });
}

/** ½ ln of an energy against four times the flat one: about −0.7 where nothing is, 0 at weak and 2 at strong texture. */
const compressed = (energy: Tensor) =>
  mul(log(mul(add(energy, constant(flatEnergy)), constant(1 / (4 * flatEnergy)))), constant(0.5));

/** For every scale, a row of one number per oriented energy of that scale. */
const perScale = (row: (orientation: number) => number): number[][] =>
  range(scales).map(scale =>
    range(scales * orientations).map(i => (Math.floor(i / orientations) === scale ? row(i % orientations) : 0)),
  );

/**
 * Log energies of all directions as means per scale, as first and second harmonics over direction (which turn with the
 * picture), and as the lengths of these (which do not).
 */
function directional(energy: Tensor): { mean: Tensor; harmonics: Tensor; lengths: Tensor } {
  const level = compressed(energy);
  const harmonicRows = [2, 4].flatMap(order =>
    [Math.cos, Math.sin].flatMap(wave =>
      perScale(i => (2 / orientations) * wave((order * Math.PI * i) / orientations)),
    ),
  );
  const harmonics = conv(level, matrix(harmonicRows));
  const squares = split(mul(harmonics, harmonics), { axis: 1, split: [scales, scales, scales, scales] });
  // Sums, not a product with ones: training would move the ones, and the length of nothing would be no number.
  const sums = [0, 2].map(cosine => add(squares[cosine]!, squares[cosine + 1]!));
  const lengths = sqrt(add(concat(sums, { axis: 1 }), constant(1e-6)));
  return { mean: conv(level, matrix(perScale(() => 1 / orientations))), harmonics, lengths };
}

/** The feature map of one stride. */
function featureMap(grid: ReturnType<typeof measurements>, stride: number, window: number): Tensor {
  const means = (x: Tensor) => windowMeans(x, stride, window);
  const { mean: energy, harmonics, lengths } = directional(means(grid.energy));
  const mean = means(grid.mean);
  const spread = sqrt(relu(sub(means(grid.square), mul(mean, mean))));
  const middle = constant(Float32Array.of(0.45, 0, 0), [1, 3, 1, 1]);
  const parts: [Tensor, number][] = [
    [sqrt(means(grid.colours)), weights.colours],
    [sub(mean, middle), 4 * weights.meanColour],
    [spread, 4 * weights.colourSpread],
    [energy, weights.energy],
    [harmonics, weights.direction],
    [lengths, weights.anisotropy],
    [compressed(means(grid.colourEdges)), weights.colourEdges],
    [compressed(means(grid.texture)), weights.texture],
  ];
  return concat(
    parts.map(([part, weight]) => mul(part, constant(weight))),
    { axis: 1 },
  );
}

/**
 * The model: input `image` float32 [N,3,H,W], RGB in 0 … 1, any height and width from 32 on; outputs `fine` and `deep`,
 * [N,102,⌈H/s⌉,⌈W/s⌉] at strides s of 16 and 32. The cosine of two positions says how alike their colours and textures
 * are. Nothing is trained; the same bytes every time.
 */
export function filterBank(): Uint8Array<ArrayBuffer> {
  const image = input('image', 'float32', ['N', 3, 'H', 'W']);
  const grid = scope('measurements', () => measurements(image));
  const outputs = maps.map(({ name, stride, window }) => [name, scope(name, () => featureMap(grid, stride, window))]);
  return toModel({
    name: 'filter-bank',
    inputs: [image],
    outputs: Object.fromEntries(outputs) as Record<string, Tensor>,
  });
}
