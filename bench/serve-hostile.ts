/** Requests of clients that mean harm or know no better, one kind after the other. */
import { connect } from 'node:net';
import { mapInOrder } from '#pipeline/in-flight';
import { post } from './serve-process.ts';

type Attack = (port: number, photo: Uint8Array) => Promise<number | string>;

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const asJson =
  (value: unknown, path = '/v1/segment'): Attack =>
  port =>
    post(port, path, 'application/json', json(value));
const asBytes =
  (body: (photo: Uint8Array) => Uint8Array, query = ''): Attack =>
  (port, photo) =>
    post(port, `/v1/segment${query}`, 'image/jpeg', body(photo));

/** Writes, and goes away without reading. */
const cutOff =
  (text: string): Attack =>
  port =>
    new Promise(resolve => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.write(text);
        setTimeout(() => socket.destroy(), 20);
      });
      socket.on('error', () => undefined).on('close', () => resolve('gone'));
    });

const megabyte = 2 ** 20;
const large = new Uint8Array(21 * megabyte);
const head = 'POST /v1/segment HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n';

const attacks: readonly Attack[] = [
  asBytes(() => new Uint8Array(0)),
  asBytes(photo => photo.subarray(0, photo.length / 2)),
  asBytes(photo => photo.map((byte, i) => (i % 97 === 0 ? byte ^ 255 : byte))),
  asBytes(photo => photo, '?classes=99999'),
  asBytes(photo => photo, '?threshold=NaN'),
  asBytes(photo => photo, '?threshold=-9&outputs=rle,polygons,mask'),
  asBytes(photo => photo, `?name=${'x'.repeat(5000)}`),
  asBytes(() => large),
  asJson({ image: { base64: 'A'.repeat(2 * megabyte) } }),
  asJson({ image: { url: 'http://169.254.169.254/latest/meta-data/' } }),
  asJson({ image: { s3Uri: 's3://foreign/photo.jpg' } }),
  asJson({ image: {}, params: { model: '../../etc/passwd' } }),
  asJson({ images: Array.from({ length: 16 }, () => ({ image: { base64: 'AAAA' } })) }, '/v1/segment/batch'),
  asJson({ inputs: [{ name: 'image', datatype: 'BYTES', shape: [1], data: ['!'] }] }, '/v2/models/bench/infer'),
  asJson({ id: '../x', request: {} }, '/v1/jobs'),
  cutOff(`${head}Content-Length: 5000000\r\n\r\n${'x'.repeat(100_000)}`),
  cutOff(`${head}${'X-Y: z\r\n'.repeat(5000)}\r\n`),
  cutOff(`${head}Transfer-Encoding: chunked\r\n\r\nfffffff\r\n`),
  cutOff('rubbish\r\n\r\n'),
];

/** @returns how often each status came */
export async function hostileRequests(
  port: number,
  count: number,
  photo: Uint8Array,
): Promise<Map<number | string, number>> {
  const answers = new Map<number | string, number>();
  const all = Array.from({ length: count }, (_, i) => attacks[i % attacks.length]!);
  const attack = (one: Attack) => one(port, photo).catch((error: NodeJS.ErrnoException) => error.code ?? 'error');
  for await (const answer of mapInOrder(all, 8, attack)) answers.set(answer, (answers.get(answer) ?? 0) + 1);
  return answers;
}
