/** The numbers in a small tensor as far as the graph tells them: sizes read off shapes and put together again. */
import { type Dim, elementCount, floorDivided, minus, plus, times } from './dims.ts';
import { constantData, type ElementType, type NodeTensor, type Tensor, unknownDims } from './tensor.ts';

/** Larger tensors are no shapes, pads or scales. */
const mostValues = 64;

/** Row-major; sizes known only when the graph runs are symbols. */
type Values = readonly Dim[];

interface Known {
  readonly dims: readonly number[];
  readonly values: Values;
}

/** @param inputs those of the node, in order */
type Rule = (tensor: NodeTensor, inputs: readonly Known[]) => readonly (Dim | undefined)[] | undefined;

const isFloat = (type: ElementType) => type === 'float32' || type === 'float64';
const size = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);

/** Where the element at a position of `dims` lies in a tensor that broadcasts to it. */
function broadcastIndex(position: number, dims: readonly number[], to: readonly number[]): number {
  let [index, step, rest] = [0, 1, position];
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    const at = rest % dims[axis]!;
    rest = Math.floor(rest / dims[axis]!);
    const own = to[axis - dims.length + to.length];
    if (own === undefined) break;
    if (own !== 1) index += at * step;
    step *= own;
  }
  return index;
}

const dimsOf = (tensor: Tensor) => tensor.dims as readonly number[];

const elementwise =
  (combine: (a: Dim, b: Dim, type: ElementType) => Dim | undefined): Rule =>
  (tensor, [a, b]) => {
    const dims = dimsOf(tensor);
    return Array.from({ length: size(dims) }, (_, i) =>
      combine(
        a!.values[broadcastIndex(i, dims, a!.dims)]!,
        b!.values[broadcastIndex(i, dims, b!.dims)]!,
        tensor.node.inputs[0]!.type,
      ),
    );
  };

const numeric = (combine: (a: number, b: number) => number | boolean) =>
  elementwise((a, b) => (typeof a === 'number' && typeof b === 'number' ? Number(combine(a, b)) : undefined));

const each =
  (change: (value: number) => number): Rule =>
  (_tensor, [x]) =>
    x!.values.map(value => (typeof value === 'number' ? change(value) : undefined));

const unchanged: Rule = (_tensor, [x]) => x!.values;

/** Symbols are sizes, never negative. */
function equal(a: Dim, b: Dim): Dim | undefined {
  if (a === b) return 1;
  if (typeof a === typeof b) return typeof a === 'number' ? 0 : undefined;
  return Math.min(Number(a), Number(b)) < 0 || (typeof a === 'number' ? a : Number(b)) < 0 ? 0 : undefined;
}

function divided(a: Dim, b: Dim, type: ElementType): Dim | undefined {
  if (b === 0) return undefined;
  if (typeof a === 'number' && typeof b === 'number') return isFloat(type) ? a / b : Math.trunc(a / b);
  return !isFloat(type) && typeof b === 'number' && b > 0 ? floorDivided(a, b) : undefined;
}

const arithmetic = (whole: (a: Dim, b: Dim) => Dim, real: (a: number, b: number) => number) =>
  elementwise((a, b, type) => {
    if (typeof a === 'number' && typeof b === 'number') return real(a, b);
    return isFloat(type) ? undefined : whole(a, b);
  });

const cast: Rule = (tensor, [x]) => {
  const change = tensor.type === 'bool' ? (v: number) => Number(v !== 0) : isFloat(tensor.type) ? same : Math.trunc;
  return x!.values.map(value => (typeof value === 'number' ? change(value) : value));
};
const same = (value: number) => value;

const roundedToEven = (value: number) => {
  const down = Math.floor(value);
  if (value - down !== 0.5) return Math.round(value);
  return down % 2 === 0 ? down : down + 1;
};

const concat: Rule = (tensor, inputs) => {
  if (tensor.node.op !== 'Concat') return undefined;
  const { axis } = tensor.node.attributes;
  const outer = size(dimsOf(tensor).slice(0, axis));
  const blocks = inputs.map(({ dims }) => size(dims.slice(axis)));
  return Array.from({ length: outer }, (_, i) =>
    inputs.flatMap(({ values }, k) => values.slice(i * blocks[k]!, (i + 1) * blocks[k]!)),
  ).flat();
};

const gather: Rule = (tensor, [x, indices]) => {
  if (tensor.node.op !== 'Gather') return undefined;
  const { axis } = tensor.node.attributes;
  const [length, block] = [x!.dims[axis]!, size(x!.dims.slice(axis + 1))];
  const outer = size(x!.dims.slice(0, axis));
  const taken: (Dim | undefined)[] = [];
  for (let o = 0; o < outer; o++)
    for (const index of indices!.values) {
      const at = (o * length + (Number(index) < 0 ? Number(index) + length : Number(index))) * block;
      for (let i = 0; i < block; i++) taken.push(typeof index === 'number' ? x!.values[at + i] : undefined);
    }
  return taken;
};

/** The positions start, start + step, … of an axis, as in Python; going backwards ONNX takes a start in front of everything for 0. */
function positions(length: number, start: number, end: number, step: number): number[] {
  const held = (at: number, lowest: number, highest: number) =>
    Math.min(Math.max(at < 0 ? at + length : at, lowest), highest);
  const taken: number[] = [];
  if (step > 0) for (let at = held(start, 0, length), to = held(end, 0, length); at < to; at += step) taken.push(at);
  else for (let at = held(start, 0, length - 1), to = held(end, -1, length - 1); at > to; at += step) taken.push(at);
  return taken;
}

const slice: Rule = ({ node }, [x]) => {
  if (node.op !== 'Slice') return undefined;
  const { starts, ends, axes, steps } = node.attributes;
  const taken = x!.dims.map((length, axis) => {
    const i = axes.indexOf(axis);
    return i < 0 ? [...Array(length).keys()] : positions(length, starts[i]!, ends[i]!, steps[i]!);
  });
  const offsets = taken.reduce<number[]>(
    (at, along, axis) => at.flatMap(o => along.map(p => o * x!.dims[axis]! + p)),
    [0],
  );
  return offsets.map(at => x!.values[at]);
};

const transpose: Rule = (tensor, [x]) => {
  if (tensor.node.op !== 'Transpose') return undefined;
  const { perm } = tensor.node.attributes;
  const steps = x!.dims.map((_, axis) => size(x!.dims.slice(axis + 1)));
  const offsets = perm.reduce<number[]>(
    (at, axis) => at.flatMap(o => Array.from({ length: x!.dims[axis]! }, (_, p) => o + p * steps[axis]!)),
    [0],
  );
  return offsets.map(at => x!.values[at]);
};

const where: Rule = (tensor, [condition, a, b]) => {
  const dims = dimsOf(tensor);
  return Array.from({ length: size(dims) }, (_, i) => {
    const chosen = condition!.values[broadcastIndex(i, dims, condition!.dims)] ? a! : b!;
    return chosen.values[broadcastIndex(i, dims, chosen.dims)];
  });
};

const expand: Rule = (tensor, [x]) =>
  Array.from({ length: size(dimsOf(tensor)) }, (_, i) => x!.values[broadcastIndex(i, dimsOf(tensor), x!.dims)]);

/** Only of everything at once. */
const reduced =
  (combine: (a: Dim, b: Dim) => Dim): Rule =>
  (tensor, [x]) =>
    size(dimsOf(tensor)) === 1 && x!.values.length > 0 ? [x!.values.reduce(combine)] : undefined;

const range: Rule = (tensor, [start, , delta]) => {
  const [from, by] = [start!.values[0], delta!.values[0]];
  if (typeof from !== 'number' || typeof by !== 'number') return undefined;
  return Array.from({ length: size(dimsOf(tensor)) }, (_, i) => from + i * by);
};

/** By ONNX name. For operators missing here the values are unknown, which is always a correct answer. */
const rules: Readonly<Record<string, Rule>> = {
  Identity: unchanged,
  Squeeze: unchanged,
  Unsqueeze: unchanged,
  Reshape: unchanged,
  Cast: cast,
  Concat: concat,
  Gather: gather,
  Slice: slice,
  Transpose: transpose,
  Add: arithmetic(plus, (a, b) => a + b),
  Sub: arithmetic(minus, (a, b) => a - b),
  Mul: arithmetic(times, (a, b) => a * b),
  Div: elementwise(divided),
  Mod: numeric((a, b) => a - b * Math.floor(a / b)),
  Pow: numeric((a, b) => a ** b),
  Max: numeric(Math.max),
  Min: numeric(Math.min),
  Equal: elementwise(equal),
  Greater: numeric((a, b) => a > b),
  GreaterOrEqual: numeric((a, b) => a >= b),
  Less: numeric((a, b) => a < b),
  LessOrEqual: numeric((a, b) => a <= b),
  And: numeric((a, b) => a && b),
  Or: numeric((a, b) => a || b),
  Not: each(value => 1 - value),
  Neg: each(value => -value),
  Abs: each(Math.abs),
  Sqrt: each(Math.sqrt),
  Floor: each(Math.floor),
  Ceil: each(Math.ceil),
  Round: each(roundedToEven),
  Where: where,
  Expand: expand,
  ReduceProd: reduced(times),
  ReduceSum: reduced(plus),
  Range: range,
  ConstantOfShape: tensor =>
    tensor.node.op === 'ConstantOfShape'
      ? new Array<Dim>(size(dimsOf(tensor))).fill(Number(constantData(tensor.node.attributes.value)[0]))
      : undefined,
};

/** Inputs that are a shape of their own, which the dims of the result already tell. */
const shapeInputs: Readonly<Record<string, number>> = { Reshape: 1, Expand: 1, ConstantOfShape: 0 };

const readable: ReadonlySet<ElementType> = new Set(['int64', 'int32', 'float32', 'float64', 'bool']);

/** Found before, since graphs share the tensors that sizes are made of. */
const found = new WeakMap<Tensor, Values | 'unknown'>();

/**
 * The values of a small tensor, row-major, numbers or symbols; undefined where the graph does not tell. Floats are
 * numbers only.
 */
export function knownValues(tensor: Tensor): Values | undefined {
  const before = found.get(tensor);
  if (before !== undefined) return before === 'unknown' ? undefined : before;
  const values = valuesOf(tensor);
  found.set(tensor, values ?? 'unknown');
  return values;
}

function valuesOf(tensor: Tensor): Values | undefined {
  if (!readable.has(tensor.type) || tensor.dims === unknownDims || tensor.kind === 'input') return undefined;
  if (!tensor.dims.every(dim => typeof dim === 'number')) return undefined;
  if (size(dimsOf(tensor)) > mostValues) return undefined;
  if (tensor.kind === 'constant') return Array.from<number | bigint, number>(constantData(tensor), Number);
  const { node } = tensor;
  if (node.op === 'Shape') return node.inputs[0]!.dims;
  const opType = node.op === 'Imported' ? node.attributes.opType : node.op;
  if (opType === 'Size' && node.inputs[0]!.dims !== unknownDims) return [elementCount(node.inputs[0]!.dims)];
  const rule = rules[opType];
  if (!rule || (node.op === 'Imported' && node.attributes.domain !== '')) return undefined;
  const inputs = knownInputs(node.inputs, opType);
  const values = inputs && rule(tensor, inputs);
  return values?.every(value => value !== undefined) ? (values as Values) : undefined;
}

/** Undefined if one that the rule reads is unknown. */
function knownInputs(inputs: readonly Tensor[], opType: string): Known[] | undefined {
  const known: Known[] = [];
  for (const [i, input] of inputs.entries()) {
    if (i === shapeInputs[opType]) continue;
    const values = knownValues(input);
    if (!values) return undefined;
    known.push({ dims: dimsOf(input), values });
  }
  return known;
}
