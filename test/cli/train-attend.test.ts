/** `selflabel train attend` on generated scenes: its files, the same again, and a run with what it wrote. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test, vi } from 'vitest';
import { SharpCodec } from '#adapters/sharp/sharp-codec';
import { writeSceneFolder } from '../../cli/scene-folder.ts';
import { done, doneJson, refuses, selflabel } from '../command-line.ts';
import { tinyResnet } from '../core/graph/tiny-networks.ts';
import { scratchRoom } from '../scratch-rooms.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const room = scratchRoom();
const [photos, network, out] = [join(room, 'scenes/images'), join(room, 'tiny.onnx'), join(room, 'attention')];
const train = [
  'train',
  'attend',
  photos,
  '--backbone',
  network,
  '--out',
  out,
  '--train-epochs',
  '1',
  '--train-batch',
  '4',
];
const files = ['attention.json', 'attention.onnx', 'backbone.json', 'backbone.onnx', 'training.jsonl'];
const read = () => files.map(file => readFileSync(join(out, file)));
let said = '';

beforeAll(async () => {
  await writeSceneFolder(new SharpCodec(), join(room, 'scenes'), 8, 3);
  writeFileSync(network, tinyResnet());
  said = await done(...train);
});

test('writes the attention, how it was trained, and the backbone whose statistics moved', () => {
  expect(readdirSync(out)).toEqual(expect.arrayContaining(files));
  expect(said).toContain('8 photos, 2 steps, loss ');
  expect(said).toContain(
    `use it: selflabel run PHOTOS --out DIR --method pass --backbone ${join(out, 'backbone.onnx')}`,
  );
  const lines = readFileSync(join(out, 'training.jsonl'), 'utf8').trimEnd().split('\n');
  expect(lines.map(line => JSON.parse(line))).toEqual([
    expect.objectContaining({ step: 1, rate: 0.09375 }),
    expect.objectContaining({ step: 2 }),
  ]);
  const { gate, hashes } = JSON.parse(readFileSync(join(out, 'attention.json'), 'utf8'));
  expect(gate).toMatchObject({ form: 'exact', projection: 'trained', pictures: 8, batch: 4, queue: 4 });
  expect(Object.keys(hashes)).toEqual(['attention', 'backbone']);
});

test('the same again changes nothing', async () => {
  const before = read();
  expect(await done(...train)).toBe(said);
  expect(read().every((bytes, i) => Buffer.compare(bytes, before[i]!) === 0)).toBe(true);
});

test('a run takes the files', async () => {
  const result = join(room, 'result');
  const given = ['--backbone', join(out, 'backbone.onnx'), '--attention', join(out, 'attention.onnx')];
  const options = ['--method', 'pass', '--clusters', '2', '--restarts', '1', ...given];
  const { images } = await doneJson<{ images: { total: number; rejected: number } }>(
    ...['run', photos, '--out', result, ...options],
  );
  expect(images).toMatchObject({ total: 8, rejected: 0 });
  const card = JSON.parse(readFileSync(join(result, 'model/card.json'), 'utf8'));
  expect(card).toMatchObject({ attention: { kind: 'attention.onnx' }, projectionHead: 'none' });
});

test('a run refuses them with another network than the one they belong to', async () => {
  const given = ['--attention', join(out, 'attention.onnx')];
  const command = (backbone: string) => [
    'run',
    photos,
    '--out',
    join(room, 'refused'),
    '--backbone',
    backbone,
    ...given,
  ];
  await refuses(
    /attention\.onnx was fitted to another backbone than tiny\.onnx \(SHA-256 [0-9a-f]{12}… there, .*the backbone\.onnx beside it/,
    ...[...command(network), '--method', 'pass'],
  );
  const copy = join(room, 'copy/attention.onnx');
  mkdirSync(join(room, 'copy'));
  writeFileSync(copy, tinyResnet());
  const { code, err } = await selflabel(...command(copy));
  expect(code).toBe(2);
  expect(err).toContain('--backbone and --attention are both called attention.onnx: rename one');
});

test('refuses what cannot be trained, and says what to do', async () => {
  const smaller = [
    'train',
    'attend',
    photos,
    '--backbone',
    network,
    '--out',
    join(room, 'other'),
    '--train-batch',
    '9',
  ];
  await refuses(/a batch of 9 cannot be made of 8 usable pictures; give more pictures, or a smaller/, ...smaller);
  const { code, err } = await selflabel(...train, '--train-minutes', '1');
  expect(code).toBe(2);
  expect(err).toContain('give one of them');
});
