/** What every ModelRunner must do, whatever runs the graphs. */
import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PermanentError } from '#core/errors';
import { type ModelParts, toModel } from '#core/graph/model';
import { add, cast, greater, identity, matmul, mul, not, reduceSum, reshape, sub } from '#core/graph/ops';
import { constant, input, integers } from '#core/graph/tensor';
import type { Model, ModelRunner, TensorValue, Trainer, TrainingGraphs, TrainingState } from '#pipeline/ports';

const floats = (dims: readonly number[], ...values: number[]): TensorValue => ({
  type: 'float32',
  dims,
  data: Float32Array.from(values),
});

const x = input('x', 'float32', ['N', 2]);
const y = input('y', 'int64', ['M']);

/** x·[[1,2],[3,4]], y + 1, and whether x > 0. */
const program = toModel({
  name: 'contract',
  inputs: [x, y],
  outputs: {
    product: matmul(x, constant(Float32Array.of(1, 2, 3, 4), [2, 2])),
    next: add(y, integers([1])),
    positive: greater(x, constant(0)),
    small: cast(x, { to: 'int32' }),
  },
});

/** Takes long enough that two runs overlap: a chain of products of 256×256 matrices. */
function slowProgram(): Uint8Array {
  const matrix = input('m', 'float32', [256, 256]);
  let product = identity(matrix);
  for (let i = 0; i < 40; i++) product = mul(matmul(product, matrix), constant(0.01));
  return toModel({ name: 'slow', inputs: [matrix], outputs: { product } });
}

/**
 * @param open a fresh runner
 * @param close ends it
 */
export function modelRunnerContract<R extends ModelRunner>(
  name: string,
  open: () => R,
  close: (runner: R) => Promise<void>,
) {
  describe(`${name} is a ModelRunner`, () => {
    let runner: R;
    let model: Model;
    beforeAll(async () => {
      runner = open();
      model = await runner.load(program, { sessions: 2, threadsPerSession: 1 });
    });
    afterAll(() => close(runner));

    const feeds = () => ({
      x: floats([1, 2], 5, -7),
      y: { type: 'int64', dims: [3], data: BigInt64Array.of(1n, 2n, 2n ** 60n) } as TensorValue,
    });

    test('says what a model takes and gives', () => {
      expect(model.inputs).toEqual(['x', 'y']);
      expect(model.outputs).toEqual(['product', 'next', 'positive', 'small']);
    });

    test('computes every output in its type', async () => {
      const { outputs } = await model.run(feeds());
      expect(outputs).toEqual({
        product: floats([1, 2], 5 - 21, 10 - 28),
        next: { type: 'int64', dims: [3], data: BigInt64Array.of(2n, 3n, 2n ** 60n + 1n) },
        positive: { type: 'bool', dims: [1, 2], data: Uint8Array.of(1, 0) },
        small: { type: 'int32', dims: [1, 2], data: Int32Array.of(5, -7) },
      });
    });

    test('computes only what is wanted', async () => {
      const { outputs } = await model.run(feeds(), ['next']);
      expect(Object.keys(outputs)).toEqual(['next']);
    });

    test('moves the feeds away and hands them back', async () => {
      const given = feeds();
      const { buffer } = given.x.data;
      const { feeds: returned } = await model.run(given);
      expect(buffer.byteLength).toBe(0);
      expect(returned).toEqual(feeds());
    });

    test('says so when a feed was moved away before', async () => {
      const given = feeds();
      await model.run(given);
      await expect(model.run(given)).rejects.toThrow(/"x" holds 0 numbers, not 2; was its buffer moved away/);
    });

    test('leaves a part of a larger buffer where it is', async () => {
      const all = Float32Array.of(0, 0, 5, -7, 9);
      const part: TensorValue = { type: 'float32', dims: [1, 2], data: all.subarray(2, 4) };
      const { outputs, feeds: returned } = await model.run({ ...feeds(), x: part }, ['product']);
      expect(outputs.product).toEqual(floats([1, 2], -16, -18));
      expect(returned.x).toEqual(floats([1, 2], 5, -7));
      expect(all).toEqual(Float32Array.of(0, 0, 5, -7, 9));
    });

    test('takes a Buffer that shares its memory with others', async () => {
      const flags = input('flags', 'bool', [2]);
      const inverse = await runner.load(toModel({ name: 'not', inputs: [flags], outputs: { r: not(flags) } }), {
        sessions: 1,
        threadsPerSession: 1,
      });
      const shared = Buffer.from([1, 0, 7]);
      const { outputs } = await inverse.run({ flags: { type: 'bool', dims: [2], data: shared.subarray(0, 2) } });
      expect(outputs.r!.data).toEqual(Uint8Array.of(0, 1));
      expect([...shared]).toEqual([1, 0, 7]);
    });

    test('takes one array under two names', async () => {
      const [a, b] = [input('a', 'float32', [2]), input('b', 'float32', [2])];
      const sum = await runner.load(toModel({ name: 'sum', inputs: [a, b], outputs: { s: add(a, b) } }), {
        sessions: 1,
        threadsPerSession: 1,
      });
      const twice = floats([2], 1, 2);
      expect((await sum.run({ a: twice, b: twice })).outputs.s).toEqual(floats([2], 2, 4));
    });

    test('takes and gives empty tensors', async () => {
      const { outputs } = await model.run({
        x: floats([0, 2]),
        y: { type: 'int64', dims: [0], data: new BigInt64Array() },
      });
      expect(outputs.product).toEqual(floats([0, 2]));
    });

    test('runs more at once than it has sessions, each with its own result', async () => {
      const runs = Array.from({ length: 7 }, (_, i) => model.run({ ...feeds(), x: floats([1, 2], i, 0) }, ['product']));
      const results = await Promise.all(runs);
      expect(results.map(({ outputs }) => outputs.product!.data[0])).toEqual([0, 1, 2, 3, 4, 5, 6]);
    });

    test('leaves the thread free while it runs', async () => {
      const slow = await runner.load(slowProgram(), { sessions: 1, threadsPerSession: 1 });
      const running = slow.run({ m: floats([256, 256], ...new Array<number>(256 * 256).fill(0.1)) });
      let turns = 0;
      let done = false;
      void running.then(() => {
        done = true;
      });
      while (!done) {
        await setImmediate();
        turns++;
      }
      expect(turns).toBeGreaterThan(10);
    });

    test('reports a failed run on one line and goes on', async () => {
      const wrong = model.run({ ...feeds(), x: floats([1, 3], 1, 2, 3) });
      await expect(wrong).rejects.toThrow(/^[^\n]*dimension[^\n]*$/);
      await expect(model.run({ x: floats([1, 2], 1, 2) })).rejects.toThrow(/'y'/);
      await expect(model.run(feeds(), ['nothing'])).rejects.toThrow(/nothing/);
      expect((await model.run(feeds())).outputs.small!.data).toEqual(Int32Array.of(5, -7));
    });

    test('refuses models that are none, for good', async () => {
      const options = { sessions: 2, threadsPerSession: 1 };
      await expect(runner.load(Uint8Array.of(1, 2, 3), options)).rejects.toThrow(PermanentError);
      const z = reshape(input('z', 'float32', [4]), [2, 2]);
      const bytes = toModel({ name: 'cut', inputs: [z.node.inputs[0]!], outputs: { r: z } });
      await expect(runner.load(bytes.subarray(0, -20), options)).rejects.toThrow(PermanentError);
      await expect(runner.load(bytes.subarray(0, -20), options)).rejects.toThrow(/^[^\n]+$/);
    });

    test('leaves the bytes of the model alone', async () => {
      for (const bytes of [
        program.slice(),
        Buffer.from(program),
        Buffer.concat([program, program]).subarray(0, program.length),
      ]) {
        const other = await runner.load(bytes, { sessions: 1, threadsPerSession: 1 });
        expect(Buffer.compare(bytes, program)).toBe(0);
        await other.release();
      }
    });

    describe('a training', () => {
      const [w, v] = ['w', 'v'].map(name => input(name, 'float32', ['n']));
      const rate = input('rate', 'float32', []);
      /** The gradient of b·w for w is b. Of four numbers the two in the middle are w; all have a velocity, to which b is added twice: w loses it · rate. `seen` becomes b. */
      const graphs = (): TrainingGraphs => {
        const [b, one] = [input('b', 'float32', [2]), input('w', 'float32', [2])];
        const [left, right] = [input('left', 'float32', [2]), input('right', 'float32', [2])];
        const loss = reduceSum(mul(b, one), { axes: [0], keepdims: 0 });
        const outputs = { 'left.next': add(left, b), 'right.next': add(right, b), seen: identity(b), loss };
        const inputs = [w!, v!, rate, input('step', 'float32', [])];
        const part = (name: string, buffer: number, from: number) => ({ name, dims: [2], buffer, from });
        return {
          gradients: toModel({ name: 'gradients', inputs: [b, one, left, right], outputs }),
          updates: [toModel({ name: 'update', inputs, outputs: { next: sub(w!, mul(rate, v!)) } })],
          groups: [
            {
              reads: [part('w', 0, 1), part('left', 1, 0), part('right', 1, 2)],
              writes: [part('left.next', 1, 0), part('right.next', 1, 2)],
              update: { graph: 0, rateScale: 0.5 },
            },
            { reads: [], writes: [part('seen', 0, 0)] },
          ],
        };
      };
      const start = (): TrainingState => [
        [Float32Array.of(9, 1, 2, 9), Float32Array.of(0, 1, 0, 1)],
        [Float32Array.of(0, 0)],
      ];
      const updated = (): TrainingState => [
        [Float32Array.of(6, -5, -1, 3), Float32Array.of(3, 6, 3, 6)],
        [Float32Array.of(3, 5)],
      ];
      const batch = () => ({ b: floats([2], 3, 5) });
      let trainer: Trainer;
      beforeEach(async () => {
        trainer = await runner.train(graphs(), { threads: 1 });
      });
      afterEach(() => trainer.release());

      test('tells the loss and updates its state in place', async () => {
        const state = start();
        await trainer.put(state);
        expect(state[0]![0]!.length).toBe(0);
        expect(await trainer.gradients(batch())).toEqual({ loss: 13 });
        await trainer.update({ rate: 2, step: 1 });
        expect(await trainer.take()).toEqual(updated());
      });

      test('gives its state between the halves of a step that is done aside', async () => {
        await trainer.put(start());
        await trainer.gradients(batch(), true);
        const state = await trainer.take();
        expect(state).toEqual(start());
        await trainer.put(state);
        await trainer.update({ rate: 2, step: 1 });
        expect(await trainer.take()).toEqual(updated());
      });

      test('leaves its state alone in a trial', async () => {
        await trainer.put(start());
        await trainer.gradients(batch(), true);
        await trainer.update({ rate: 2, step: 1, trial: true });
        expect(await trainer.take()).toEqual(start());
      });

      test('takes a batch away', async () => {
        await trainer.put(start());
        const given = batch();
        await trainer.gradients(given);
        expect(given.b.data.length).toBe(0);
      });

      test('refuses what is out of turn', async () => {
        await expect(trainer.gradients(batch())).rejects.toThrow('the state is not here');
        await trainer.put(start());
        await expect(trainer.update({ rate: 2, step: 1 })).rejects.toThrow('no gradients wait');
        await trainer.gradients(batch());
        for (const early of [
          () => trainer.take(),
          () => trainer.gradients(batch()),
          () => trainer.update({ rate: 2, step: 1, trial: true }),
        ])
          await expect(early()).rejects.toThrow('half a step is done');
        await trainer.update({ rate: 2, step: 1 });
        await expect(trainer.update({ rate: 2, step: 1 })).rejects.toThrow('no gradients wait');
        expect(await trainer.take()).toEqual(updated());
        await trainer.release();
        await expect(trainer.take()).rejects.toThrow('the training was released');
      });

      test('says what the runtime says of a batch; a state that may be half moved on is gone', async () => {
        const wrong = () => ({ b: floats([3], 3, 5, 7) });
        await trainer.put(start());
        await expect(trainer.gradients(wrong(), true)).rejects.toThrow('invalid dimensions for input: b');
        await expect(trainer.update({ rate: 2, step: 1 })).rejects.toThrow('no gradients wait');
        const state = await trainer.take();
        expect(state).toEqual(start());
        await trainer.put(state);
        await expect(trainer.gradients(wrong())).rejects.toThrow('invalid dimensions for input: b');
        await expect(trainer.gradients(batch())).rejects.toThrow('the state is not here');
      });

      test('refuses what it cannot tell, for good', async () => {
        const [b, half] = [input('b', 'float32', ['m']), input('w', 'float32', [2])];
        const gradients = (outputs: ModelParts['outputs']) =>
          runner.train(
            { ...graphs(), gradients: toModel({ name: 'odd', inputs: [b, half], outputs }) },
            { threads: 1 },
          );
        await expect(gradients({ g: b })).rejects.toThrow('cannot tell "g": it is float32 of m');
        await expect(gradients({ g: cast(half, { to: 'int32' }) })).rejects.toThrow(
          'cannot tell "g": it is int32 of 2',
        );
      });

      test('refuses graphs that are none, for good', async () => {
        const broken = { ...graphs(), updates: [Uint8Array.of(1, 2, 3)] };
        await expect(runner.train(broken, { threads: 1 })).rejects.toThrow(PermanentError);
      });
    });

    test('finishes what is under way before it releases, and then refuses', async () => {
      const other = await runner.load(program, { sessions: 1, threadsPerSession: 1 });
      const runs = [other.run(feeds(), ['small']), other.run(feeds(), ['small'])];
      await other.release();
      for (const { outputs } of await Promise.all(runs)) expect(outputs.small!.data).toEqual(Int32Array.of(5, -7));
      await expect(other.run(feeds())).rejects.toThrow('released');
      await other.release();
    });
  });
}
