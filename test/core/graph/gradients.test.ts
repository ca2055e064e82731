/** Gradients of every operator: against central differences in float64, and in ONNX Runtime against float64. */
import { describe, expect, test } from 'vitest';
import { fasterForms } from '#core/graph/faster-forms';
import { gradientRules } from '#core/graph/gradient-rules';
import { assertDifferentiable, gradientsOf } from '#core/graph/gradients';
import * as ops from '#core/graph/ops';
import { print } from '#core/graph/print';
import { constant, type Dim, input, scope, type Tensor } from '#core/graph/tensor';
import { Random, seedOf } from '#core/random';
import { centralDifferences, relativeError } from './central-differences.ts';
import { evaluate, type Value } from './evaluator.ts';
import { sample, table } from './op-cases.ts';
import { run } from './runtime.ts';

type Feeds = Readonly<Record<string, Value>>;

/** A loss in which every element of every float output counts differently. */
function lossOf(outputs: readonly Tensor[]): Tensor {
  const parts = outputs
    .filter(({ type }) => type === 'float32')
    .map((output, i) => {
      const dims = output.dims as readonly number[];
      const random = new Random(seedOf('weights', i));
      const weights = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random.normal());
      return ops.reduceSum(ops.mul(output, constant(weights, dims)), { keepdims: 0 });
    });
  return parts.reduce<Tensor>((a, b) => ops.add(a, b), constant(0));
}

async function compare(loss: Tensor, wanted: readonly Tensor[], feeds: Feeds): Promise<void> {
  const gradients = gradientsOf(loss, wanted);
  if (wanted.length === 0) return;
  const inDoubles = evaluate(gradients, feeds);
  const inRuntime = await run(gradients, feeds);
  for (const [i, tensor] of wanted.entries()) {
    if (tensor.kind !== 'input') throw new Error('only inputs are moved');
    const slopes = centralDifferences(loss, tensor.name, feeds);
    expect(inDoubles[i]!.dims).toEqual(slopes.dims);
    expect(gradients[i]!.dims).toEqual(tensor.dims);
    expect(relativeError(inDoubles[i]!.data, slopes.data)).toBeLessThan(1e-4);
    expect(inRuntime[i]!.dims).toEqual(slopes.dims);
    expect(relativeError(inRuntime[i]!.data, inDoubles[i]!.data)).toBeLessThan(1e-4);
  }
}

describe('every operator against central differences', () => {
  test.each(table)('%s', async (name, { given, build }) => {
    const op = name.split(' ')[0] as ops.Op;
    const random = new Random(seedOf('gradient', name));
    const feeds = Object.fromEntries(given.map((one, i) => [`x${i}`, sample(one, random)]));
    const inputs = given.map(({ dims, type = 'float32' }, i) => input(`x${i}`, type, dims));
    const loss = lossOf([build(...inputs)].flat() as Tensor[]);
    const wanted = inputs.filter(({ type }) => type === 'float32');
    const rule = gradientRules[op];
    if ('refuses' in rule) {
      expect(rule.refuses).not.toBe('');
      expect(() => gradientsOf(loss, wanted)).toThrow(`the network cannot be trained through its ${op}`);
      return;
    }
    if ('stops' in rule) expect(rule.stops).not.toBe('');
    await compare(loss, wanted, feeds);
  });
});

describe('sums over several ways', () => {
  const x = input('x', 'float32', [2, 3]);
  const feeds = { x: { dims: [2, 3], data: [0.3, -1.2, 0.7, 1.9, -0.4, 0.1] } };

  test('a tensor that is used three times, once broadcast', async () => {
    const column = ops.reduceMean(x, { axes: [1] });
    const loss = ops.reduceSum(ops.mul(ops.add(x, column), ops.sigmoid(ops.mul(x, x))), { keepdims: 0 });
    await compare(loss, [x], feeds);
  });

  test('the square root at 0 hands on zeros, run as evaluated', async () => {
    const flat = { x: { dims: [2, 3], data: [0, -1, 4, 0, 0.25, -2] } };
    const [g] = gradientsOf(ops.reduceSum(ops.sqrt(ops.relu(x)), { keepdims: 0 }), [x]);
    const slopes = [0, 0, 0.25, 0, 1, 0];
    expect(evaluate([g!], flat)[0]!.data).toEqual(slopes);
    expect((await run([g!], flat))[0]!.data).toEqual(slopes);
    // As a training step has it, where choices are factors.
    expect((await run(fasterForms([g!]), flat))[0]!.data).toEqual(slopes);
  });

  test('a tensor that does not reach the loss has zeros', () => {
    const other = input('other', 'float32', [4]);
    const [unused, index] = gradientsOf(ops.reduceSum(x, { keepdims: 0 }), [other, x]);
    expect(evaluate([unused!, index!], feeds)).toEqual([
      { dims: [4], data: [0, 0, 0, 0] },
      { dims: [2, 3], data: [1, 1, 1, 1, 1, 1] },
    ]);
  });

  test('no gradient passes a held tensor', () => {
    const square = ops.mul(x, x);
    const loss = ops.reduceSum(ops.mul(square, x), { keepdims: 0 });
    const [g] = gradientsOf(loss, [x], { held: [square] });
    expect(evaluate([g!], feeds)[0]!.data).toEqual(feeds.x.data.map(v => v * v));
  });

  test('an inner tensor may be asked for', () => {
    const square = ops.mul(x, x);
    const [g] = gradientsOf(ops.reduceSum(ops.mul(square, square), { keepdims: 0 }), [square]);
    expect(evaluate([g!], feeds)[0]!.data).toEqual(feeds.x.data.map(v => 2 * v * v));
  });

  test('the graph is the same every time, with the scopes of the way forward', () => {
    const program = () => {
      const w = input('w', 'float32', [3, 2]);
      const y = scope('head', () => ops.relu(ops.matmul(x, w)));
      return gradientsOf(ops.reduceMean(y, { keepdims: 0 }), [w, x]);
    };
    expect(print(program())).toBe(print(program()));
    expect(print(program())).toMatchInlineSnapshot(`
      "x [2,3]
      w [3,2]
      %0 [3,2] = Transpose(x, perm=[1,0])  # gradients/head
      %1 [2,2] = MatMul(x, w)  # head
      %2 [2,2] = Relu(%1)  # head
      %3 bool [2,2] = Greater(%2, 0)  # gradients/head
      %4 [1,1] = Unsqueeze(1, axes=[0,1])  # gradients/loss
      %5 [1,1] = Div(%4, 4)  # gradients/loss
      %6 [2,2] = Expand(%5, [2,2])  # gradients/head
      %7 [2,2] = Where(%3, %6, 0)  # gradients/head
      %8 [3,2] = MatMul(%0, %7)  # gradients/head
      %9 [2,3] = Transpose(w, perm=[1,0])  # gradients/head
      %10 [2,3] = MatMul(%7, %9)  # gradients/head
      return %8, %10"
    `);
  });
});

describe('an unknown number of images', () => {
  const small = (...dims: Dim[]) => input('x', 'float32', dims);
  const x = small('N', 2, 4, 4);
  const kernel = constant(
    Float32Array.from({ length: 36 }, (_, i) => Math.cos(i)),
    [2, 2, 3, 3],
  );
  const maps: [string, Tensor][] = [
    ['Conv', ops.conv(x, kernel, undefined, { strides: [2, 2], pads: [1, 1, 1, 1] })],
    ['MaxPool', ops.maxPool(x, { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] })],
    ['AveragePool', ops.averagePool(x, { kernel_shape: [2, 2], strides: [2, 2] })],
    ['GlobalAveragePool', ops.globalAveragePool(x)],
    ['Resize', ops.resize(x, { scales: [1, 1, 2, 2] }, { mode: 'linear' })],
    ['Reshape', ops.softmax(ops.reshape(x, [0, 2, -1]), { axis: 1 })],
    ['Slice', ops.slice(x, { starts: [1, 0], ends: [4, 3], axes: [2, 3], steps: [2, 1] })],
    ['Gather', ops.gather(x, constant(BigInt64Array.of(1n, 1n)), { axis: 2 })],
    ['ReduceMean', ops.mul(ops.reduceMean(x), x)],
  ];
  test.each(maps)('%s', async (_name, y) => {
    const feeds = { x: { dims: [2, 2, 4, 4], data: Array.from({ length: 64 }, (_, i) => Math.sin(i * i)) } };
    const loss = ops.reduceMean(ops.mul(y, y), { keepdims: 0 });
    const gradient = gradientsOf(loss, [x]);
    const slopes = centralDifferences(loss, 'x', feeds);
    for (const [actual] of [evaluate(gradient, feeds), await run(gradient, feeds)])
      expect(relativeError(actual!.data, slopes.data)).toBeLessThan(1e-4);
  });
});

describe('what cannot be trained is named', () => {
  const x = input('x', 'float32', [1, 2, 4, 4]);
  const foreign = (from: Tensor) =>
    ops.applyOp('Imported', [from], {
      opType: 'Einsum',
      domain: '',
      version: 21,
      attribute: [],
      positions: [0],
      captures: [],
      outputs: [{ type: 'float32', dims: from.dims }],
    })[0]!;
  const total = (y: Tensor) => ops.reduceSum(y, { keepdims: 0 });

  test('a foreign operator, with its scope', () => {
    const y = scope('backbone', () => scope('block', () => foreign(ops.relu(x))));
    expect(() => assertDifferentiable(total(y), [x])).toThrow(
      'the network cannot be trained through its Einsum in backbone/block ([1,2,4,4]): it is an operator of the model ' +
        'that has no gradient here; freeze what comes before it',
    );
  });

  test('but not before the part that is trained', () => {
    const w = input('w', 'float32', [3, 2, 1, 1]);
    expect(() => assertDifferentiable(total(ops.conv(foreign(x), w)), [w])).not.toThrow();
  });

  test('cubic interpolation, sizes that are not known, other floats', () => {
    const cubic = ops.resize(x, { scales: [1, 1, 2, 2] }, { mode: 'cubic' });
    expect(() => assertDifferentiable(total(cubic), [x])).toThrow(/Resize .* cubic interpolation/);
    const any = input('x', 'float32', ['N', 2, 'H', 'W']);
    const pooled = ops.averagePool(any, { kernel_shape: [2, 2] });
    expect(() => assertDifferentiable(total(pooled), [any])).toThrow(
      /AveragePool .* height and width \[H,W\] must be numbers/,
    );
    const largest = ops.maxPool(any, { kernel_shape: [2, 2] });
    expect(() => assertDifferentiable(total(largest), [any])).not.toThrow();
    const half = ops.cast(ops.relu(ops.cast(x, { to: 'float16' })), { to: 'float32' });
    expect(() => assertDifferentiable(total(half), [x])).toThrow(/Cast .* it computes in float16/);
  });

  test('a loss that is not one number', () => {
    expect(() => gradientsOf(x, [x])).toThrow('the loss is float32 [1,2,4,4], not one float32 number');
  });
});
