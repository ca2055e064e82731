/** Warming up while the first model loads: nobody notices it. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import type { ImageCodec, Model, ModelRunner } from '#pipeline/ports';
import { warmingUp } from '#pipeline/serve/warm-up';

const model = {} as Model;
const options = { sessions: 1, threadsPerSession: 1 };
const file = new Uint8Array(3);

function world({
  load,
  decode = async () => undefined,
}: {
  load: () => Promise<Model>;
  decode?: () => Promise<unknown>;
}) {
  const images = { encodeJpeg: vi.fn(async () => file), decode: vi.fn(decode) };
  const runner = { device: 'cpu', load: vi.fn(load) };
  return {
    images,
    runner: warmingUp(runner as unknown as ModelRunner, images as unknown as ImageCodec),
    load: runner.load,
  };
}

it('hands over what the runner gives, and takes a picture through the codec while the first model loads', async () => {
  const { images, runner, load } = world({ load: async () => model });
  expect(runner.device).toBe('cpu');
  expect(await runner.load(file, options)).toBe(model);
  expect(await runner.load(file, options)).toBe(model);
  expect(load.mock.calls).toEqual([
    [file, options],
    [file, options],
  ]);
  expect(images.encodeJpeg).toHaveBeenCalledOnce();
  expect(images.decode).toHaveBeenCalledExactlyOnceWith(file);
});

it('lets the trouble of a model through, and keeps its own to itself', async () => {
  const broken = async () => {
    throw new Error('no model');
  };
  const { runner } = world({ load: broken, decode: async () => Promise.reject(new Error('no codec')) });
  await expect(runner.load(file, options)).rejects.toThrow('no model');
  // Time for a rejection that nobody handles to be noticed.
  await pause(20);
});

it('leaves the thread to others again and again while the model loads', async () => {
  let turns = 0;
  const count = () => {
    turns++;
    if (turns < 1000) setImmediate(count);
  };
  const { runner } = world({ load: () => pause(50, model) });
  setImmediate(count);
  await runner.load(file, options);
  expect(turns).toBeGreaterThan(3);
});
