/**
 * KServe's inference protocol v2 (kserve.github.io, “Open Inference Protocol”) with the binary tensor data extension of Triton
 * (triton-inference-server/server, docs/protocol/extension_binary_data.md): one encoded image in, class ids out.
 */
import type { Answer, Segmented } from './answer.ts';
import type { ModelFacts } from './model-shelf.ts';
import { Problem } from './problem.ts';
import { parseJson } from './request-body.ts';
import { validate } from './validation.ts';

interface Tensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly data?: readonly unknown[];
}

export interface InferRequest {
  readonly id?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly inputs: readonly Tensor[];
  readonly outputs?: readonly { readonly name: string; readonly parameters?: Readonly<Record<string, unknown>> }[];
}

/** The header that says where the JSON ends. */
export const jsonLengthHeader = 'Inference-Header-Content-Length';

const outputTypes = { labels: 'UINT16', confidence: 'FP32' } as const;
type OutputName = keyof typeof outputTypes;

const unusable = (detail: string) => new Problem('malformed', detail);

/** @param jsonLength of the header, if there is one. @throws Problem 400 */
export function readInferRequest(
  body: Uint8Array,
  jsonLength: number | undefined,
): { request: InferRequest; image: Uint8Array } {
  if (jsonLength !== undefined && jsonLength > body.length) throw unusable(`${jsonLengthHeader} exceeds the body`);
  const request = validate<InferRequest>('InferRequest', parseJson(body.subarray(0, jsonLength ?? body.length)));
  const [tensor] = request.inputs;
  assertImage(tensor!);
  for (const { name } of request.outputs ?? []) {
    if (!(name in outputTypes)) throw unusable('the outputs are labels and confidence');
  }
  const rest = jsonLength === undefined ? new Uint8Array(0) : body.subarray(jsonLength);
  return { request, image: imageOf(tensor!, rest) };
}

function assertImage({ name, datatype, shape }: Tensor): void {
  if (name !== 'image' || datatype !== 'BYTES') throw unusable('the input is “image” of datatype BYTES');
  if (shape.length === 0 || shape.length > 2 || shape.some(size => size !== 1)) {
    throw unusable('the shape of “image” is [1] or [1, 1]: one image in one request');
  }
}

function imageOf({ data, parameters }: Tensor, rest: Uint8Array): Uint8Array {
  const size = parameters?.binary_data_size;
  if (size === undefined) {
    const [text] = data ?? [];
    if (data?.length !== 1 || typeof text !== 'string') throw unusable('data of “image” is one text of base64');
    return Buffer.from(text, 'base64');
  }
  if (size !== rest.length || rest.length < 4)
    throw unusable('binary_data_size is not the number of bytes after the JSON');
  // A BYTES element is preceded by its length, four bytes, little-endian.
  const length = new DataView(rest.buffer, rest.byteOffset, 4).getUint32(0, true);
  if (length !== rest.length - 4) throw unusable('the length before the image is not that of the image');
  return rest.subarray(4);
}

/** Numbers of an output as the protocol lays them out: little-endian. */
const bytesOf = {
  labels({ image }: Segmented): Uint8Array {
    const { data } = image.map;
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  },
  confidence: ({ image }: Segmented): Uint8Array => new Uint8Array(Float32Array.of(image.confidence).buffer),
};

const numbersOf = {
  labels: ({ image }: Segmented): readonly number[] => Array.from(image.map.data),
  confidence: ({ image }: Segmented): readonly number[] => [image.confidence],
};

const shapeOf = {
  labels: ({ image }: Segmented): readonly number[] => [1, image.map.height, image.map.width],
  confidence: (): readonly number[] => [1],
};

/** The outputs asked for, in JSON or behind it. */
export function inferAnswer(
  segmented: Segmented,
  request: InferRequest,
): { answer: Answer; headers: Readonly<Record<string, string>> } {
  const wanted = request.outputs?.length ? request.outputs : [{ name: 'labels' }, { name: 'confidence' }];
  const allBinary = request.parameters?.binary_data_output === true;
  const tails: Uint8Array[] = [];
  const outputs = wanted.map(
    ({ name, parameters }: { name: string; parameters?: Readonly<Record<string, unknown>> }) => {
      const output = name as OutputName;
      const tensor = { name, datatype: outputTypes[output], shape: shapeOf[output](segmented) };
      if (!(parameters?.binary_data ?? allBinary)) return { ...tensor, data: numbersOf[output](segmented) };
      const bytes = bytesOf[output](segmented);
      tails.push(bytes);
      return { ...tensor, parameters: { binary_data_size: bytes.length } };
    },
  );
  const { name, card } = segmented.model;
  const id = request.id === undefined ? {} : { id: request.id };
  const json = new TextEncoder().encode(
    JSON.stringify({ model_name: name, model_version: card.modelVersion, ...id, outputs }),
  );
  if (tails.length === 0)
    return { answer: { mediaType: 'application/json', extension: 'json', bytes: json }, headers: {} };
  const bytes = new Uint8Array(Buffer.concat([json, ...tails]));
  return {
    answer: { mediaType: 'application/octet-stream', extension: 'bin', bytes },
    headers: { [jsonLengthHeader]: String(json.length) },
  };
}

/** The metadata of a model. */
export const inferModel = ({ name, card }: ModelFacts) => ({
  name,
  versions: [card.modelVersion],
  platform: 'onnxruntime_onnx',
  inputs: [{ name: 'image', datatype: 'BYTES', shape: [1] }],
  outputs: [
    { name: 'labels', datatype: outputTypes.labels, shape: [1, -1, -1] },
    { name: 'confidence', datatype: outputTypes.confidence, shape: [1] },
  ],
});
