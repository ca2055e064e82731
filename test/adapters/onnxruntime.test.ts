/** ONNX Runtime behind the port: the contract, devices, and workers that die. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { withRefusedOutput } from '#adapters/onnxruntime/refused-output';
import { oneLine, Session } from '#adapters/onnxruntime/session';
import { SessionPool } from '#adapters/onnxruntime/session-pool';
import { PermanentError } from '#core/errors';
import { toModel } from '#core/graph/model';
import { gather, relu } from '#core/graph/ops';
import { input } from '#core/graph/tensor';
import type { TensorValue } from '#pipeline/ports';
import { modelRunnerContract } from '../contracts/model-runner.ts';

modelRunnerContract(
  'ONNX Runtime',
  () => new OnnxRuntime(),
  runner => runner.close(),
);

const x = input('x', 'float32', ['N']);
const program = toModel({ name: 'relu', inputs: [x], outputs: { y: relu(x) } });

describe('devices', () => {
  test('one that is unknown is refused at once', () => {
    expect(() => new OnnxRuntime({ device: 'abacus' })).toThrow(PermanentError);
    expect(() => new OnnxRuntime({ device: 'abacus' })).toThrow(/"abacus" here; it knows cpu/);
  });

  test('one that is absent is refused at load, without falling back', async () => {
    const runner = new OnnxRuntime({ device: 'tensorrt' });
    await expect(runner.load(program, { sessions: 1, threadsPerSession: 1 })).rejects.toThrow(
      /cannot load the model on tensorrt: /,
    );
  });
});

describe('errors', () => {
  test('lose their source positions and line breaks', () => {
    const message =
      '/onnxruntime_src/onnxruntime/core/graph/model.cc:182 onnxruntime::Model::Model(onnx::ModelProto&&, const PathString&) ' +
      '[ONNXRuntimeError] : 1 : FAIL : Unsupported model IR version: 14,\n max supported IR version: 13';
    expect(oneLine(message)).toBe('Unsupported model IR version: 14, max supported IR version: 13');
  });

  test('of a node name the node', async () => {
    const runner = new OnnxRuntime();
    const places = input('places', 'int64', ['M']);
    const bytes = toModel({ name: 'gather', inputs: [x, places], outputs: { y: gather(x, places) } });
    const model = await runner.load(bytes, { sessions: 1, threadsPerSession: 1 });
    const run = model.run({
      x: { type: 'float32', dims: [2], data: new Float32Array(2) },
      places: { type: 'int64', dims: [1], data: BigInt64Array.of(9n) },
    });
    await expect(run).rejects.toThrow(/^[^\n/]*Gather_0[^\n/]*9[^\n/]*$/);
    await runner.close();
  });
});

describe('an output that is refused', () => {
  test('keeps the runtime from handing over the others, which are written where they are wanted', async () => {
    const x = input('x', 'float32', [3]);
    const model = toModel({ name: 'two', inputs: [x], outputs: { y: relu(x) } });
    const session = await ort.InferenceSession.create(withRefusedOutput(model));
    expect(session.outputNames).toEqual(['refused', 'y']);
    const tensor = (...values: number[]) => new ort.Tensor('float32', Float32Array.from(values), [values.length]);
    const y = tensor(7, 7, 7);
    await expect(session.run({ x: tensor(-1, 2, 3) }, { refused: null, y })).rejects.toThrow(/^Non tensor type/);
    expect(y.data).toEqual(Float32Array.of(0, 2, 3));
    await session.release();
  });
});

describe('a worker that dies', () => {
  const script = new URL('./crashing-worker.mjs', import.meta.url);
  const open = () => Session.open(new Uint8Array(1), {}, script);
  const one = (): TensorValue => ({ type: 'bool', dims: [1], data: Uint8Array.of(1) });

  test('rejects its run; the others go on in its place', async () => {
    const pool = new SessionPool(await open(), { most: 2, open });
    const [broken, ...fine] = await Promise.allSettled([
      pool.run({ exit: one() }),
      pool.run({}),
      pool.run({}),
      pool.run({}),
    ]);
    expect(broken).toMatchObject({ status: 'rejected', reason: new Error('the session ended (exit code 3)') });
    expect(fine.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    await pool.release();
  });

  test('rejects whoever waits when none is left, and later runs', async () => {
    const pool = new SessionPool(await open(), { most: 1, open });
    const results = await Promise.allSettled([pool.run({ error: one() }), pool.run({}), pool.run({})]);
    const reason = new Error('the session broke down: something burst');
    expect(results).toEqual(results.map(() => ({ status: 'rejected', reason })));
    await expect(pool.run({})).rejects.toThrow(reason.message);
    await pool.release();
  });
});

describe('a pool', () => {
  const script = new URL('./crashing-worker.mjs', import.meta.url);
  const first = () => Session.open(new Uint8Array(1), {}, script);

  test('opens sessions when runs find none free, and no more than it may', async () => {
    let opened = 0;
    const open = () => {
      opened++;
      return first();
    };
    const pool = new SessionPool(await first(), { most: 3, open });
    await pool.run({});
    await pool.run({});
    expect(opened).toBe(0);
    await Promise.all([pool.run({}), pool.run({})]);
    expect(opened).toBe(1);
    await Promise.all(Array.from({ length: 9 }, () => pool.run({})));
    expect(opened).toBe(2);
    await pool.release();
  });

  test('tells one who waits when no other can be opened, and lets go of all that were', async () => {
    const sessions: Session[] = [];
    const open = async () => {
      throw new Error('no room');
    };
    const letGo = async (all: readonly Session[]) => {
      sessions.push(...all);
      await Promise.all(all.map(session => session.close()));
    };
    const pool = new SessionPool(await first(), { most: 2, open, letGo });
    const results = await Promise.allSettled([pool.run({}), pool.run({}), pool.run({})]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: new Error('no room') });
    await pool.release();
    expect(sessions).toHaveLength(1);
  });
});

describe('the bundled worker', () => {
  test('runs models as the one in the source does', async () => {
    const session = await Session.open(program, {}, new URL('../../dist/session-worker.mjs', import.meta.url));
    const { outputs } = await session.run({ x: { type: 'float32', dims: [2], data: Float32Array.of(-1, 2) } }, ['y']);
    expect(outputs.y!.data).toEqual(Float32Array.of(0, 2));
    await session.close();
  });
});

describe('the process', () => {
  test('ends by itself although nothing was released', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'selflabel-'));
    const script = join(folder, 'run.mts');
    const adapter = fileURLToPath(new URL('../../adapters/onnxruntime/onnx-runtime.ts', import.meta.url));
    writeFileSync(join(folder, 'm.onnx'), program);
    writeFileSync(
      script,
      `import { readFileSync } from 'node:fs';
       import { OnnxRuntime } from ${JSON.stringify(adapter)};
       const model = await new OnnxRuntime().load(readFileSync(${JSON.stringify(join(folder, 'm.onnx'))}), { sessions: 2, threadsPerSession: 1 });
       const { outputs } = await model.run({ x: { type: 'float32', dims: [2], data: Float32Array.of(-1, 2) } });
       process.stdout.write(outputs.y.data.join());`,
    );
    const tsx = fileURLToPath(import.meta.resolve('tsx'));
    const { stdout, stderr, status } = spawnSync(process.execPath, ['--import', tsx, script], { timeout: 30_000 });
    await rm(folder, { recursive: true });
    expect([stdout.toString(), stderr.toString(), status]).toEqual(['0,2', '', 0]);
  });
});
