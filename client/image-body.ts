/** An image as the body of a request: its own bytes where they are at hand, JSON where they lie elsewhere. */
import type { Image, SegmentParams } from './contract.ts';

/** What `fetch` takes as it is. */
export type RequestBody = Blob | ArrayBuffer | Uint8Array<ArrayBuffer> | string;

/** Bytes (a `File` or `Blob`, or read from a file), or where the service finds them. */
export type ImageInput = Blob | ArrayBuffer | Uint8Array | Image;

export interface SegmentCall extends SegmentParams {
  /** What the answer calls the image. */
  readonly name?: string | undefined;
}

/** Media types that the service takes as a whole body; anything else goes as bytes whose kind the service finds out. */
const imageTypes = ['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/tiff', 'image/avif'];

export interface OutgoingImage {
  readonly query: URLSearchParams;
  readonly body: RequestBody;
  readonly contentType: string;
}

/** With bytes the parameters stand in the query, otherwise in the JSON. */
export function outgoingImage(image: ImageInput, { name, ...params }: SegmentCall): OutgoingImage {
  const query = new URLSearchParams();
  if (!isBytes(image)) {
    return { query, body: JSON.stringify({ image, params, name }), contentType: 'application/json' };
  }
  for (const [key, value] of Object.entries({ ...params, name })) {
    if (value !== undefined) query.set(key, String(value));
  }
  const type = image instanceof Blob && imageTypes.includes(image.type) ? image.type : 'application/octet-stream';
  return { query, body: image as RequestBody, contentType: type };
}

export const isBytes = (image: ImageInput): image is Blob | ArrayBuffer | Uint8Array =>
  image instanceof Blob || image instanceof ArrayBuffer || ArrayBuffer.isView(image);

/** Where several images stand in one JSON document, bytes are written as base64. */
export async function imageInJson(image: ImageInput): Promise<Image> {
  if (!isBytes(image)) return image;
  const bytes = new Uint8Array(await new Blob([image as Uint8Array<ArrayBuffer>]).arrayBuffer());
  let text = '';
  // In pieces: a call takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return { base64: btoa(text) };
}
