/** A node of a foreign model, with its inputs found and its attributes at hand. */
import { knownValues } from './known-values.ts';
import type { AttributeProto, NodeProto } from './onnx.ts';
import { constantData, type ElementType, type Tensor } from './tensor.ts';

/** A node of opset 21 or newer with its inputs found; '' inputs are undefined. */
export class ReadNode {
  readonly opType: string;
  readonly inputs: readonly (Tensor | undefined)[];
  readonly #attributes: ReadonlyMap<string, AttributeProto>;
  /** Names of the outputs; trailing ones that are left out are cut off. */
  readonly outputs: readonly string[];

  constructor({ opType = '', attribute = [], output = [] }: NodeProto, inputs: readonly (Tensor | undefined)[]) {
    this.opType = opType;
    this.inputs = inputs;
    this.outputs = output.slice(0, output.findLastIndex(name => name !== '') + 1);
    this.#attributes = new Map(attribute.map(one => [one.name ?? '', one]));
  }

  /** Whether there is an attribute of any of these names. */
  has(...names: string[]): boolean {
    return names.some(name => this.#attributes.has(name));
  }

  attribute(name: string): AttributeProto | undefined {
    return this.#attributes.get(name);
  }

  int(name: string, byDefault: number): number {
    const attribute = this.#attributes.get(name);
    return attribute ? Number(attribute.i ?? 0n) : byDefault;
  }

  flag(name: string, byDefault: 0 | 1): 0 | 1 {
    return this.int(name, byDefault) ? 1 : 0;
  }

  float(name: string, byDefault: number): number {
    const attribute = this.#attributes.get(name);
    return attribute ? (attribute.f ?? 0) : byDefault;
  }

  text(name: string, byDefault: string): string {
    const bytes = this.#attributes.get(name)?.s;
    return bytes ? new TextDecoder().decode(bytes) : byDefault;
  }

  ints(name: string): number[] | undefined {
    return this.#attributes.get(name)?.ints?.map(Number);
  }

  /** The numbers of an input that is stored in the model or follows from sizes that are known; undefined otherwise. */
  stored(position: number): number[] | undefined {
    const tensor = this.inputs[position];
    if (tensor?.kind === 'node') {
      const values = knownValues(tensor);
      return values?.every(value => typeof value === 'number') ? [...values] : undefined;
    }
    if (tensor?.kind !== 'constant' || !readable.has(tensor.type)) return undefined;
    return Array.from<number | bigint, number>(constantData(tensor), Number);
  }

  /** Whether an input is there and not an empty tensor, which older files use for "left out". */
  given(position: number): boolean {
    const tensor = this.inputs[position];
    return tensor !== undefined && !(tensor.dims.length === 1 && tensor.dims[0] === 0);
  }
}

const readable = new Set<ElementType>(['float32', 'float64', 'int32', 'int64', 'uint8', 'bool']);
