/** Which tensors of a foreign network are dense feature maps, or tokens that fold into one: found by reading shapes at several image sizes. */
import { type ImageInput, imageInput, spatialAxes } from './image-input.ts';
import type { ImportedModel } from './import.ts';
import type { NodeProto } from './onnx.ts';
import { handsOn, withoutPlaces } from './places.ts';
import { type Probe, probe, type Size } from './probe.ts';
import type { Dim, ElementType, Tensor } from './tensor.ts';

/** How the axes of features stand: a map with channels in front or last, or tokens T with channels after or before them. */
export type DenseLayout = 'NCHW' | 'NHWC' | 'NTC' | 'NCT' | 'TNC';

/** Features of every place of the image. */
export interface DenseTensor {
  readonly name: string;
  readonly channels: number;
  /** Pixels of the image per position, along its height. */
  readonly stride: number;
  readonly layout: DenseLayout;
  /** Tokens in front of those of the patches: class and registers. */
  readonly prefix: number;
  /** Tokens behind those of the patches. */
  readonly suffix: number;
  /** Positions at the one size that the network takes; undefined where it follows the image. */
  readonly grid: Size | undefined;
  /** Whether it is an output of the file; others lie inside the graph. */
  readonly declared: boolean;
  /** Whether everything computed later reads the image through this tensor alone, as after a stage of a network. */
  readonly bottleneck: boolean;
}

/** What a network can be asked for. */
export interface DenseTensors {
  /** In the order in which they are computed: the deepest is the last. */
  readonly tensors: readonly DenseTensor[];
  /** The only size the deepest ones can be computed for; undefined if any will do. */
  readonly fixed: Size | undefined;
}

/** A multiple of every stride and patch in use (2⁶ · 3² · 5 · 7), so that they come out even. */
const probeSide = 20_160;

/** Sizes that networks are trained for, where a file takes one only and does not say which. */
const usualSides = [224, 256, 384, 448, 512, 518, 336, 320, 288, 240, 192, 160, 128, 96, 64, 640, 768, 800, 1024, 480];

/** More tokens in front of the patches than any network has. */
const mostExtraTokens = 32;

const floats: ReadonlySet<ElementType> = new Set(['float32', 'float16', 'float64', 'bfloat16']);

/** Positions of the last node that reads each tensor for its numbers; outputs of the file are not read by a node. */
function lastUses(nodes: readonly NodeProto[]): ReadonlyMap<string, number> {
  return new Map(nodes.flatMap((node, i) => (handsOn(node) ? (node.input ?? []).map(name => [name, i] as const) : [])));
}

/** Tensors through which alone everything later sees the image; its size may go around them. */
function bottlenecks({ nodes, inputs }: ImportedModel): ReadonlySet<string> {
  const uses = lastUses(nodes);
  const seeing = new Set(inputs.map(({ name }) => name));
  const found = new Set<string>();
  let furthest = Math.max(...inputs.map(({ name }) => uses.get(name) ?? -1));
  for (const [i, node] of nodes.entries()) {
    const { output = [], input = [] } = node;
    if (!handsOn(node) || !input.some(name => seeing.has(name))) continue;
    for (const name of output) seeing.add(name);
    if (furthest <= i) found.add(output[0] ?? '');
    furthest = Math.max(furthest, ...output.map(out => uses.get(out) ?? -1));
  }
  return found;
}

type Shape = Pick<DenseTensor, 'channels' | 'stride' | 'layout' | 'prefix' | 'suffix' | 'grid'>;

/** Dims of one tensor at the probed sizes; undefined unless it holds floats of known sizes for a batch of one. */
type Sizes = readonly (readonly number[])[];

function sizesOf(name: string, probes: readonly Probe[]): Sizes | undefined {
  const tensors = probes.map(({ tensors }) => tensors.get(name));
  const usable = tensors.every((tensor): tensor is Tensor => tensor !== undefined && floats.has(tensor.type));
  if (!usable || !tensors.every(({ dims }) => dims.every(dim => typeof dim === 'number'))) return undefined;
  const rank = tensors[0]!.dims.length;
  return tensors.every(({ dims }) => dims.length === rank) ? tensors.map(({ dims }) => dims as number[]) : undefined;
}

const map = { prefix: 0, suffix: 0, grid: undefined } as const;

/** A map: one axis grows with the height alone and the next with the width alone, by the same stride. */
function mapShape([square, tall, wide]: Sizes): Shape | undefined {
  for (const [layout, y, channel] of [
    ['NCHW', 2, 1],
    ['NHWC', 1, 3],
  ] as const) {
    const grown = (to: readonly number[] | undefined) => square!.map((size, axis) => to![axis]! - size);
    const [down, across] = [grown(tall), grown(wide)];
    const stride = probeSide / down[y]!;
    const onlyOne = (sizes: readonly number[], axis: number) => sizes.every((size, i) => size === 0 || i === axis);
    if (down[y] !== across[y + 1] || !onlyOne(down, y) || !onlyOne(across, y + 1)) continue;
    if (Number.isInteger(stride) && stride >= 1 && square![0] === 1)
      return { ...map, layout, channels: square![channel]!, stride };
  }
  return undefined;
}

/** The axis of tokens, given the dims for a batch of one. */
const tokenLayouts = [
  ['NTC', 0, 1, 2],
  ['NCT', 0, 2, 1],
  ['TNC', 1, 0, 2],
] as const;

/** Tokens: one axis grows equally with height and width, by one for every patch. */
function tokenShape([square, tall, wide]: Sizes): Shape | undefined {
  for (const [layout, batch, token, channel] of tokenLayouts) {
    const patches = tall![token]! - square![token]!;
    const stride = probeSide / Math.sqrt(patches);
    const rest = [tall!, wide!].every(dims => dims[batch] === 1 && dims[channel] === square![channel]);
    if (!rest || square![batch] !== 1 || wide![token] !== tall![token]) continue;
    const prefix = square![token]! - patches;
    if (Number.isInteger(stride) && stride >= 1 && prefix >= 0 && prefix <= mostExtraTokens)
      return { layout, channels: square![channel]!, stride, prefix, suffix: 0, grid: undefined };
  }
  return undefined;
}

function shapeAnywhere(sizes: Sizes | undefined): Shape | undefined {
  if (sizes?.[0]?.length === 4) return mapShape(sizes);
  return sizes?.[0]?.length === 3 ? tokenShape(sizes) : undefined;
}

/** Halves of a grid, rounded up, as long as there is something to halve. */
function halvings({ height, width }: Size): Size[] {
  if (Math.min(height, width) < 4) return [];
  const half = { height: Math.ceil(height / 2), width: Math.ceil(width / 2) };
  return [half, ...halvings(half)];
}

/** Grids that features can have at the one size. */
interface Grids {
  /** Those of maps before the first node that needs this size. */
  readonly seen: readonly Size[];
  /** Their halvings; where no map was seen, whole divisors of the size. */
  readonly guessed: readonly Size[];
}

function possibleGrids(found: ReadonlyMap<string, Shape>, at: Probe, size: Size): Grids {
  const grids = [...found].flatMap(([name, { layout }]) => {
    if (layout !== 'NCHW' && layout !== 'NHWC') return [];
    const [y, x] = layout === 'NCHW' ? [2, 3] : [1, 2];
    const dims = at.tensors.get(name)!.dims as readonly number[];
    return [{ height: dims[y]!, width: dims[x]! }];
  });
  const seen = distinct(grids.filter(({ height }) => 3 * height < size.height));
  if (seen.length > 0) return { seen, guessed: distinct(seen.flatMap(halvings)) };
  const sides = Array.from({ length: 61 }, (_, i) => i + 4);
  const guessed = sides
    .filter(side => size.height % side === 0 && size.width % side === 0)
    .map(side => ({ height: size.height / side, width: size.width / side }));
  return { seen, guessed };
}

const distinct = (grids: readonly Size[]): Size[] => [
  ...new Map(grids.map(grid => [`${grid.height}×${grid.width}`, grid])).values(),
];

const strideOf = (size: Size, grid: Size) => Math.max(1, Math.floor(size.height / grid.height));

function mapAt(dims: readonly number[], { seen, guessed }: Grids, size: Size): Shape | undefined {
  for (const [layout, y, channel] of [
    ['NCHW', 2, 1],
    ['NHWC', 1, 3],
  ] as const) {
    const fits = ({ height, width }: Size) => dims[0] === 1 && dims[y] === height && dims[y + 1] === width;
    const grid = seen.find(fits) ?? guessed.find(fits);
    if (grid) return { ...map, layout, channels: dims[channel]!, stride: strideOf(size, grid), grid };
  }
  return undefined;
}

/** On one of the grids, with few tokens over; the fewest, where there is a choice. */
function tokensOn(dims: readonly number[], grids: readonly Size[], size: Size, extra: (patches: number) => number) {
  const fits = tokenLayouts.flatMap(([layout, batch, token, channel]) =>
    grids.flatMap((grid): Shape[] => {
      const patches = grid.height * grid.width;
      const prefix = dims[token]! - patches;
      if (dims[batch] !== 1 || prefix < 0 || prefix > extra(patches)) return [];
      return [{ layout, channels: dims[channel]!, stride: strideOf(size, grid), prefix, suffix: 0, grid }];
    }),
  );
  return fits.sort((a, b) => a.prefix - b.prefix)[0];
}

const tokensAt = (dims: readonly number[], { seen, guessed }: Grids, size: Size): Shape | undefined =>
  tokensOn(dims, seen, size, () => mostExtraTokens) ??
  tokensOn(dims, guessed, size, patches => Math.min(mostExtraTokens, patches / 4));

function shapesAt(model: ImportedModel, found: ReadonlyMap<string, Shape>, at: Probe, size: Size): Map<string, Shape> {
  const grids = possibleGrids(found, at, size);
  const shapes = new Map<string, Shape>();
  // A hundred boxes are no grid of ten by ten.
  const lost = withoutPlaces(model, at);
  for (const name of model.tensorNames) {
    if (lost.has(name)) continue;
    const dims = sizesOf(name, [at])?.[0];
    const shape = dims?.length === 4 ? mapAt(dims, grids, size) : dims?.length === 3 && tokensAt(dims, grids, size);
    if (shape) shapes.set(name, shape);
  }
  return shapes;
}

/** How many nodes with a matrix or a kernel of their own come after a tensor: they are what makes a network deep. */
export function layersAfter(name: string, { nodes, constants }: ImportedModel): number {
  const at = nodes.findIndex(({ output }) => output?.includes(name));
  return nodes.slice(at + 1).filter(({ input = [] }) => input.some(one => (constants.get(one)?.dims.length ?? 0) >= 2))
    .length;
}

/** The size that the file declares. */
function declaredSize(image: ImageInput): Size | undefined {
  const [height, width] = spatialAxes(image).map(axis => image.dims[axis]);
  return typeof height === 'number' && typeof width === 'number' ? { height, width } : undefined;
}

/** The one size of a network that does not take any: the declared one, else the first usual one that no node refuses. */
function onlySize(model: ImportedModel, image: ImageInput, refusals: number, told: Size | undefined): Size | undefined {
  const declared = declaredSize(image);
  if (declared) return declared;
  if (refusals === 0) return undefined;
  if (told) return told;
  const [height, width] = spatialAxes(image).map((axis): Dim => image.dims[axis]!);
  const held = (dim: Dim | undefined, side: number) => (typeof dim === 'number' ? dim : side);
  return usualSides
    .map(side => ({ height: held(height, side), width: held(width, side) }))
    .find(size => probe(model, image, size).refusals === 0);
}

/** Layers that are worth the loss of a free size. */
const fewestLayers = 2;

export interface DenseOptions {
  /** Default: the one that looks like an image. */
  readonly image?: ImageInput | undefined;
  /** The size to try where the file names none and does not take any. */
  readonly told?: Size | undefined;
  /** The size to take although others would do. */
  readonly fixed?: Size | undefined;
}

/**
 * The dense features of a model. Where the deepest need one size of the image, all are those at that size.
 * @returns none for a model without an image
 */
export function denseTensors(model: ImportedModel, options: DenseOptions = {}): DenseTensors {
  const image = options.image ?? imageInput(model);
  if (!image) return { tensors: [], fixed: undefined };
  const probes = [
    { height: probeSide, width: probeSide },
    { height: 2 * probeSide, width: probeSide },
    { height: probeSide, width: 2 * probeSide },
  ].map(size => probe(model, image, size));
  const anywhere = new Map<string, Shape>();
  for (const name of model.tensorNames) {
    const shape = name === image.name ? undefined : shapeAnywhere(sizesOf(name, probes));
    if (shape) anywhere.set(name, shape);
  }
  const size = options.fixed ?? onlySize(model, image, probes[0]!.refusals, options.told);
  if (!size) return { tensors: described(model, anywhere), fixed: undefined };
  const there = shapesAt(model, anywhere, probe(model, image, size), size);
  there.delete(image.name);
  const [free, only] = [anywhere, there].map(shapes => [...shapes.keys()].at(-1));
  const deeper = only !== undefined && (free === undefined || layersBetween(model, free, only) >= fewestLayers);
  return deeper || options.fixed
    ? { tensors: described(model, there), fixed: size }
    : { tensors: described(model, anywhere), fixed: undefined };
}

const layersBetween = (model: ImportedModel, from: string, to: string) =>
  layersAfter(from, model) - layersAfter(to, model);

/** Copies under another name: what inference makes of Dropout. */
const copying = new Set(['Dropout', 'Identity']);

function described(model: ImportedModel, shapes: ReadonlyMap<string, Shape>): DenseTensor[] {
  const declared = new Set(model.outputs.map(({ name }) => name));
  const narrow = bottlenecks(model);
  const copies = new Set(model.nodes.flatMap(({ opType = '', output = [] }) => (copying.has(opType) ? output : [])));
  const own = [...shapes].filter(([name]) => declared.has(name) || !copies.has(name));
  return own.map(([name, shape]) => ({
    name,
    ...shape,
    declared: declared.has(name),
    bottleneck: narrow.has(name),
  }));
}
