/** Weights that hold no numbers: a network with NaN in it may give zeros rather than NaN, so looking at features is not enough. */
import { type ImportedModel, neededConstants } from '../graph/import.ts';
import { type ConstantTensor, constantData } from '../graph/tensor.ts';

/** float16: all five exponent bits set and a fraction; bfloat16: all eight. */
const smallFloats = { float16: 0x7c00, bfloat16: 0x7f80 } as const;

function holdsNan(tensor: ConstantTensor): boolean {
  const { type, bytes } = tensor;
  if (type === 'float32' || type === 'float64')
    return (constantData(tensor) as Float32Array).some(value => Number.isNaN(value));
  if (type !== 'float16' && type !== 'bfloat16') return false;
  const exponent = smallFloats[type];
  for (let i = 0; i + 1 < bytes.length; i += 2)
    if (((bytes[i]! | (bytes[i + 1]! << 8)) & 0x7fff) > exponent) return true;
  return false;
}

/** The first weights holding NaN among those that the wanted tensors are computed from. */
export function damagedWeights(model: ImportedModel, wanted: readonly string[]): string | undefined {
  return neededConstants(model, wanted).find(name => {
    const tensor = model.constants.get(name)!;
    return tensor.kind === 'constant' && holdsNan(tensor);
  });
}
