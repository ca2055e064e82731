/** KServe v2: the same labels as the API's own, in JSON and as bytes behind it. */
import { inflateSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeIndexPng } from '#core/formats/png-index';
import { type ApiWorld, apiWorld, asked, closesApi, get, png, post } from './api-world.ts';
import { painting, publishSmall } from './small-model.ts';

closesApi();

const file = png(painting(['rg', 'b.'], 24));
const input = (more: object) => ({ name: 'image', datatype: 'BYTES', shape: [1], ...more });
const base64 = { data: [Buffer.from(file).toString('base64')] };
const path = '/v2/models/small/infer';

/** JSON, then the image with its length before it. */
function withBinary(
  image: Uint8Array,
  more: object = {},
  size = image.length + 4,
): { body: Uint8Array; length: number } {
  const json = Buffer.from(JSON.stringify({ inputs: [input({ parameters: { binary_data_size: size } })], ...more }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(image.length);
  return { body: new Uint8Array(Buffer.concat([json, length, image])), length: json.length };
}

describe('inference', () => {
  let world: ApiWorld;
  let expected: Uint16Array;
  const infer = (body: object | Uint8Array, headers = {}) => asked(world, 'v2Infer', post(path, body, headers));
  const binary = (length: number) => ({
    'content-type': 'application/octet-stream',
    'inference-header-content-length': String(length),
  });

  beforeAll(async () => {
    world = apiWorld();
    await publishSmall(world.store);
    const mask = await asked(world, 'segment', post('/v1/segment', file, { accept: 'image/png' }));
    const bytes = new Uint8Array(await mask.arrayBuffer());
    expected = (await decodeIndexPng(bytes, async packed => inflateSync(packed))).ids;
  });

  it('answers JSON with JSON', async () => {
    const answer = (await (await infer({ id: 'x', inputs: [input(base64)] })).json()) as {
      id: string;
      model_version: string;
      outputs: { name: string; datatype: string; shape: number[]; data: number[] }[];
    };
    expect([answer.id, answer.model_version]).toEqual(['x', 'v1']);
    const [labels, confidence] = answer.outputs;
    expect(labels).toMatchObject({ name: 'labels', datatype: 'UINT16', shape: [1, 48, 48] });
    expect(Uint16Array.from(labels!.data)).toEqual(expected);
    expect(confidence).toMatchObject({ name: 'confidence', datatype: 'FP32', shape: [1] });
  });

  it('takes and gives bytes behind the JSON', async () => {
    const { body, length } = withBinary(file, { outputs: [{ name: 'labels', parameters: { binary_data: true } }] });
    const response = await infer(body, binary(length));
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    const bytes = new Uint8Array(await response.arrayBuffer());
    const jsonLength = Number(response.headers.get('inference-header-content-length'));
    const { outputs } = JSON.parse(Buffer.from(bytes.subarray(0, jsonLength)).toString()) as { outputs: object[] };
    expect(outputs).toEqual([
      { name: 'labels', datatype: 'UINT16', shape: [1, 48, 48], parameters: { binary_data_size: 2 * 48 * 48 } },
    ]);
    const tail = bytes.slice(jsonLength);
    expect(new Uint16Array(tail.buffer)).toEqual(expected);
  });

  it.each([
    ['another input', { inputs: [{ ...input(base64), name: 'x' }] }],
    ['another type', { inputs: [{ ...input(base64), datatype: 'FP32' }] }],
    ['a batch', { inputs: [{ ...input(base64), shape: [2] }] }],
    ['no data', { inputs: [input({})] }],
    ['numbers', { inputs: [input({ data: [1] })] }],
    ['unknown outputs', { inputs: [input(base64)], outputs: [{ name: 'scores' }] }],
    ['no inputs', { inputs: [] }],
  ])('refuses %s', async (_, body) => {
    const response = await infer(body);
    expect(response.status).toBe(400);
    expect(await response.json()).toHaveProperty('error');
  });

  it('refuses lengths that do not add up', async () => {
    const { body, length } = withBinary(file);
    expect((await infer(body, binary(length + 5))).status).toBe(400);
    expect((await infer(body, binary(body.length + 1))).status).toBe(400);
    expect((await infer(body, { 'content-type': 'application/octet-stream' })).status).toBe(400);
    const wrong = withBinary(file, {}, file.length);
    expect((await infer(wrong.body, binary(wrong.length))).status).toBe(400);
    expect((await infer(body.subarray(0, length + 2), binary(length))).status).toBe(400);
  });

  it('describes the server and the model', async () => {
    expect(await (await asked(world, 'v2Server', get('/v2'))).json()).toMatchObject({
      extensions: ['binary_tensor_data'],
    });
    expect(await (await asked(world, 'v2Live', get('/v2/health/live'))).json()).toEqual({ live: true });
    expect(await (await asked(world, 'v2Model', get('/v2/models/small'))).json()).toMatchObject({ name: 'small' });
    expect((await asked(world, 'v2ModelReady', get('/v2/models/small/ready'))).status).toBe(200);
    expect((await asked(world, 'v2Model', get('/v2/models/nobody'))).status).toBe(404);
  });
});
