/** Which of a network's dense tensors become the features: those that the settings name, else the deepest, and why. */
import { PermanentError } from '../errors.ts';
import { type DenseTensor, layersAfter } from '../graph/dense-tensors.ts';
import { type ImportedModel, neededInputs, nodesFor } from '../graph/import.ts';
import type { Size } from '../graph/probe.ts';
import { isKnownOperator } from '../graph/upgrade.ts';
import type { Entry, FeatureClaims } from './entry.ts';

export interface Choice {
  /** The deepest dense features: what labels are made of. */
  readonly deep: DenseTensor;
  /** Features of the next finer stride, where the model has any. */
  readonly fine: DenseTensor | undefined;
  /** Why this is the deep one, for people. */
  readonly reason: string;
}

/** Sizes of axis 1 of outputs that are no maps: numbers of classes. A map with as many channels holds class scores. */
function classCounts({ outputs }: ImportedModel, dense: readonly DenseTensor[]): ReadonlySet<unknown> {
  const maps = new Set(dense.map(({ name }) => name));
  return new Set(outputs.filter(({ name }) => !maps.has(name)).map(({ dims }) => dims[1]));
}

/** With fewer channels a map holds a depth, boxes or scores, which no classes can be told apart by. */
const fewestChannels = 8;

/** The deepest map: among those the file declares if it declares any, and none of class scores if there are others. */
function deepest(dense: readonly DenseTensor[], model: ImportedModel): Omit<Choice, 'fine'> | undefined {
  const counts = classCounts(model, dense);
  const features = dense.filter(({ channels }) => channels >= fewestChannels && !counts.has(channels));
  const candidates = features.length > 0 ? features : dense;
  const declared = candidates.findLast(one => one.declared);
  if (declared) return { deep: declared, reason: 'the deepest dense output that the file declares' };
  const deep = candidates.at(-1);
  const scores = features.length > 0 && counts.has(dense.at(-1)!.channels) ? dense.at(-1) : undefined;
  const skipped = scores ? ` ("${scores.name}", deeper still, holds class scores)` : '';
  return deep && { deep, reason: `no declared output is dense; this is the deepest dense tensor inside${skipped}` };
}

/** Below this share of the network, a map is only where a transformer cuts the image into patches. */
const shallowShare = 0.1;

/** Refuses what lies before most of the network: its depths were not understood. */
function refuseShallow(deep: DenseTensor, model: ImportedModel, image: string): void {
  const { name, declared } = deep;
  if (declared) return;
  const early = model.tensorNames.indexOf(name) < shallowShare * model.tensorNames.length;
  const [after, all] = [layersAfter(name, model), layersAfter(image, model)];
  if (!early && 2 * after <= all) return;
  throw new PermanentError(
    `the model's deepest dense feature map is "${name}", right after its input (${after} of ${all} layers come later); ` +
      'export the last map of its backbone as an output (of a transformer: its patch tokens, N×tokens×C)',
  );
}

/** @throws PermanentError if what the file declares is computed with operators that the runtime cannot have */
function refuseUnknownOperators(model: ImportedModel): void {
  const outputs = model.outputs.map(({ name }) => name);
  const strange = nodesFor(model, outputs).find(node => !isKnownOperator(node));
  if (!strange) return;
  const { opType, domain, name, output } = strange;
  throw new PermanentError(
    `the model needs the operator "${opType}"${domain ? ` of ${domain}` : ''} (node "${name || output?.[0]}"), which ONNX Runtime ` +
      'does not have; export it with operators of the ONNX standard, or name a tensor before that node in the settings beside it',
  );
}

/** With no more channels than this, a map is still the image. */
const imageChannels = 3;

/** The map of the next finer stride: a declared one, else the end of a stage, else the deepest of that stride. */
function nextFiner(dense: readonly DenseTensor[], deep: DenseTensor): DenseTensor | undefined {
  const before = dense
    .slice(0, dense.indexOf(deep))
    .filter(({ stride, channels }) => stride < deep.stride && channels > imageChannels);
  const stride = Math.max(...before.map(({ stride }) => stride));
  const candidates = before.filter(tensor => tensor.stride === stride);
  return (
    candidates.findLast(({ declared }) => declared) ??
    candidates.findLast(({ bottleneck }) => bottleneck) ??
    candidates.at(-1)
  );
}

interface Named {
  readonly name: string;
  /** A declared output that is no feature map may be listed; what else is named must be one. */
  readonly mustBeDense: boolean;
  readonly claims: FeatureClaims;
}

const namesIn = (entry: Entry): Named[] => [
  ...entry.outputs.map(({ name, ...claims }) => ({
    name,
    mustBeDense: Object.values(claims).some(claim => claim !== undefined),
    claims,
  })),
  ...entry.inner_features.map(({ tensor, ...claims }) => ({ name: tensor, mustBeDense: true, claims })),
];

/** @throws PermanentError if what the settings say of a tensor is not so */
function checked(tensor: DenseTensor, claims: FeatureClaims, fixed: Size | undefined): DenseTensor {
  const { name, layout, grid } = tensor;
  const refuse = (what: string, said: unknown, found: unknown): never => {
    throw new PermanentError(
      `the settings beside the model say that "${name}" has ${what} ${said}, but the model has ${found}`,
    );
  };
  if (claims.channels !== undefined && claims.channels !== tensor.channels)
    refuse('channels', claims.channels, tensor.channels);
  if (claims.stride !== undefined && !fixed && claims.stride !== tensor.stride)
    refuse('stride', claims.stride, tensor.stride);
  if (claims.layout !== undefined && claims.layout !== layout) refuse('layout', claims.layout, layout);
  const [height, width] = claims.grid ?? [];
  const extra = tensor.prefix + tensor.suffix;
  if (!layout.includes('T') && claims.prefix_tokens)
    refuse('prefix_tokens', claims.prefix_tokens, `no tokens (${layout})`);
  if (claims.grid && !grid) refuse('grid', `${height}×${width}`, 'a grid that follows the image');
  if (grid && claims.grid && (height !== grid.height || width !== grid.width))
    return regridded(tensor, { height: height!, width: width! }, claims.prefix_tokens, refuse);
  const prefix = claims.prefix_tokens ?? tensor.prefix;
  if (prefix > extra) refuse('prefix_tokens', prefix, `${extra} tokens beside those of the patches`);
  return { ...tensor, prefix, suffix: extra - prefix };
}

/** The same tokens on the grid that the settings give. */
function regridded(
  tensor: DenseTensor,
  grid: Size,
  prefix: number | undefined,
  refuse: (what: string, said: unknown, found: unknown) => never,
): DenseTensor {
  const own = tensor.grid!;
  const tokens = tensor.prefix + tensor.suffix + own.height * own.width;
  const extra = tokens - grid.height * grid.width;
  if (!tensor.layout.includes('T') || extra < (prefix ?? 0))
    refuse(
      'grid',
      `${grid.height}×${grid.width}`,
      tensor.layout.includes('T') ? `${tokens} tokens` : `${own.height}×${own.width}`,
    );
  return { ...tensor, grid, prefix: prefix ?? extra, suffix: extra - (prefix ?? extra) };
}

/** The dense tensors that the settings name, in the order of depth. */
function namedTensors(
  entry: Entry,
  dense: readonly DenseTensor[],
  model: ImportedModel,
  fixed: Size | undefined,
): DenseTensor[] {
  const named = namesIn(entry);
  for (const { name, mustBeDense } of named) {
    if (!model.tensorNames.includes(name))
      throw new PermanentError(
        `the settings beside the model name the tensor "${name}", which the model does not have`,
      );
    if (mustBeDense && !dense.some(one => one.name === name))
      throw new PermanentError(
        `the settings beside the model name "${name}", which is no dense feature map (N×C×h×w, or tokens that fold into one)`,
      );
  }
  const claims = new Map(named.map(({ name, claims }) => [name, claims]));
  return dense.flatMap(one => (claims.has(one.name) ? [checked(one, claims.get(one.name)!, fixed)] : []));
}

/** @throws PermanentError if more than the image has to be fed for these tensors */
function refuseOtherInputs(names: readonly string[], image: string, model: ImportedModel): void {
  const others = neededInputs(model, names).filter(name => name !== image);
  if (others.length === 0) return;
  const said = model.inputs
    .filter(({ name }) => others.includes(name))
    .map(({ name, type, dims }) => `"${name}" (${type} [${dims.join(',')}])`);
  throw new PermanentError(
    `the model wants more than an image: ${said.join(', ')}; export it with that inside (PyTorch: wrap it in a module ` +
      'whose forward takes the image alone)',
  );
}

const noneFound =
  'the model has no dense feature map (N×C×h×w, or tokens N×T×C, that grows with the image); export it without its ' +
  'pooling and classifier, or with the last map of its backbone as an output';

/**
 * The features of a network.
 * @param image name of its image input
 * @throws PermanentError if there are none, if they need more than an image, or if the settings do not fit the model
 */
export function chooseFeatures(
  model: ImportedModel,
  image: string,
  entry: Entry,
  { tensors: dense, fixed }: { readonly tensors: readonly DenseTensor[]; readonly fixed: Size | undefined },
): Choice {
  const named = namedTensors(entry, dense, model, fixed);
  const coarsest = Math.max(...named.map(({ stride }) => stride));
  const wanted = named.findLast(({ stride }) => stride === coarsest);
  if (!wanted) refuseUnknownOperators(model);
  if (!wanted)
    refuseOtherInputs(
      model.outputs.map(({ name }) => name),
      image,
      model,
    );
  const chosen = wanted ? { deep: wanted, reason: 'the settings name it' } : deepest(dense, model);
  if (!chosen) throw new PermanentError(noneFound);
  const { deep } = chosen;
  if (!wanted) refuseShallow(deep, model, image);
  const fine =
    nextFiner(named, deep) ??
    // Two of one stride, as blocks of a transformer: both are meant.
    named.findLast(one => one !== deep && one.stride === deep.stride) ??
    nextFiner(dense, dense.find(({ name }) => name === deep.name)!);
  refuseOtherInputs([deep.name, ...(fine ? [fine.name] : [])], image, model);
  return { ...chosen, fine };
}
