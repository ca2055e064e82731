/** Which tensors of a network still tell places of the image apart. */
import type { ImportedModel } from './import.ts';
import type { NodeProto } from './onnx.ts';
import type { Probe } from './probe.ts';

/** Whether a node hands on what the image shows, not only how large it is. */
export const handsOn = ({ opType = '' }: NodeProto) => opType !== 'Shape' && opType !== 'Size';

/** What these give is in the order of its values, whatever the places. */
const sorting = new Set(['NonMaxSuppression', 'TopK', 'NonZero', 'ArgMax', 'ArgMin', 'Unique']);
/** These take rows out of their first input by the numbers in their second. */
const picking = new Set(['Gather', 'GatherElements', 'GatherND']);

const sizesAt = (name: string, at: Probe): readonly number[] | undefined => {
  const dims = at.tensors.get(name)?.dims ?? [''];
  return dims.every(dim => typeof dim === 'number') ? (dims as readonly number[]) : undefined;
};

const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);

/** Whether one vector, or one number, is left of what a node read, as after pooling or after taking the class token. */
function isPooled(name: string, read: readonly string[], at: Probe): boolean {
  const sizes = sizesAt(name, at);
  if (!sizes || sizes.filter(size => size > 1).length > 1) return false;
  return read.some(one => product(sizesAt(one, at) ?? []) > product(sizes));
}

/**
 * Tensors that are made of the image but of no place of it: everything behind a pooling or a selection. What is added to or
 * multiplied with something that has places has places (squeeze and excitation, say).
 * @param at the shapes at one size of the image
 */
export function withoutPlaces({ nodes, inputs }: ImportedModel, at: Probe): ReadonlySet<string> {
  const seeing = new Set(inputs.map(({ name }) => name));
  const lost = new Set<string>();
  for (const node of nodes) {
    const { opType = '', input = [], output = [] } = node;
    const read = input.filter(name => seeing.has(name));
    if (!handsOn(node) || read.length === 0) continue;
    const sorted = sorting.has(opType) || (picking.has(opType) && seeing.has(input[1] ?? ''));
    const allLost = read.every(name => lost.has(name));
    for (const name of output) {
      seeing.add(name);
      if (sorted || allLost || isPooled(name, read, at)) lost.add(name);
    }
  }
  return lost;
}
