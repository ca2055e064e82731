/** Keeps the runtime's binding from copying what a graph wrote where it is wanted. */
import { dataTypes, writeModel } from '#core/graph/onnx';

const name = 'refused';

/**
 * The model with one more output, its first: an empty sequence. The binding for Node copies every output into new memory, also where
 * memory was given for it (https://github.com/microsoft/onnxruntime/pull/32346 is to end that). It stops at a sequence, which it cannot
 * hand over, when everything has been computed: a copy of all that a training step writes is a twentieth of its time.
 */
export function withRefusedOutput(model: Uint8Array): Uint8Array {
  const type = { sequenceType: { elemType: { tensorType: { elemType: dataTypes.float32 } } } };
  const graph = { node: [{ opType: 'SequenceEmpty', output: [name] }], output: [{ name, type }] };
  // What one message says of a model and what another says make one model if their bytes follow each other.
  return Buffer.concat([writeModel({ graph }), model]);
}
