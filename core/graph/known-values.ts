/** The numbers in a small integer tensor as far as the graph tells them: sizes read off shapes and put together again. */
import { type Dim, floorDivided, minus, plus, times } from './dims.ts';
import { constantData, type NodeTensor, type Tensor, unknownDims } from './tensor.ts';

/** Longer tensors are not shapes. */
const longestShape = 64;

type Values = readonly Dim[];
type Rule = (tensor: NodeTensor, inputs: readonly Values[]) => Values | undefined;

const elementwise =
  (combine: (a: Dim, b: Dim) => Dim | undefined): Rule =>
  (_tensor, [a, b]) => {
    const values = Array.from({ length: Math.max(a!.length, b!.length) }, (_, i) =>
      combine(a![a!.length === 1 ? 0 : i]!, b![b!.length === 1 ? 0 : i]!),
    );
    return values.every(value => value !== undefined) ? values : undefined;
  };

const unchanged: Rule = (_tensor, [x]) => x;

/** For operators missing here the values are unknown, which is always a correct answer. */
const rules: Readonly<Record<string, Rule>> = {
  Identity: unchanged,
  Squeeze: unchanged,
  Unsqueeze: unchanged,
  Reshape: unchanged,
  Cast: unchanged,
  Concat: (_tensor, inputs) => inputs.flat(),
  Gather: (_tensor, [x, indices]) => {
    const values = indices!.map(index => (typeof index === 'number' ? x!.at(index) : undefined));
    return values.every(value => value !== undefined) ? values : undefined;
  },
  Slice: ({ node }, [x]) => {
    if (node.op !== 'Slice') return undefined;
    const { starts, ends, steps } = node.attributes;
    return steps[0] === 1 ? x!.slice(starts[0], ends[0]) : undefined;
  },
  Add: elementwise(plus),
  Sub: elementwise(minus),
  Mul: elementwise(times),
  Div: elementwise((a, b) => (typeof b === 'number' && b > 0 ? floorDivided(a, b) : undefined)),
};

/** Inputs whose values must be known; the second input of these operators is a shape or an index of its own. */
function valueInputs({ node }: NodeTensor): readonly Tensor[] {
  return node.op === 'Reshape' ? node.inputs.slice(0, 1) : node.inputs;
}

/** The values of a scalar or one-dimensional int64 or int32 tensor, numbers or symbols; undefined where the graph does not tell. */
export function knownValues(tensor: Tensor): Values | undefined {
  if ((tensor.type !== 'int64' && tensor.type !== 'int32') || tensor.dims.length > 1) return undefined;
  if (tensor.kind === 'constant')
    return tensor.bytes.length > 8 * longestShape ? undefined : Array.from(constantData(tensor), Number);
  if (tensor.kind === 'input' || tensor.dims === unknownDims) return undefined;
  const { node } = tensor;
  if (node.op === 'Shape') return node.inputs[0]!.dims;
  const rule = rules[node.op];
  if (!rule) return undefined;
  const inputs: Values[] = [];
  for (const input of valueInputs(tensor)) {
    const values = knownValues(input);
    if (!values) return undefined;
    inputs.push(values);
  }
  return rule(tensor, inputs);
}
