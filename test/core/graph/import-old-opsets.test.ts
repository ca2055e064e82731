/** Models of older opsets: what their operators become, and that they compute the same. */
import { describe, expect, test } from 'vitest';
import { applyModel, importModel } from '#core/graph/import';
import { toModel } from '#core/graph/model';
import { type NodeProto, readModel } from '#core/graph/onnx';
import { print } from '#core/graph/print';
import { input } from '#core/graph/tensor';
import { both, float, floats, int, ints, node, numbers, small, text } from './foreign-models.ts';

/** Each line: an old form, and the program of opset 21 it must come to. */
const oldForms: readonly [name: string, opset: number, dims: readonly number[], nodes: NodeProto[]][] = [
  ['Softmax over flattened axes', 11, [2, 3, 4], [node('Softmax', ['x'], ['y'], int('axis', 1))]],
  ['Softmax with its old default axis', 9, [2, 3, 4], [node('Softmax', ['x'], ['y'])]],
  ['LogSoftmax over flattened axes', 12, [2, 3, 4], [node('LogSoftmax', ['x'], ['y'], int('axis', 1))]],
  ['Hardmax over flattened axes', 11, [2, 3, 4], [node('Hardmax', ['x'], ['y'], int('axis', 1))]],
  [
    'Squeeze and Unsqueeze with attributes',
    11,
    [1, 3, 1],
    [node('Squeeze', ['x'], ['s'], ints('axes', 0, 2)), node('Unsqueeze', ['s'], ['y'], ints('axes', 0, 2))],
  ],
  ['Squeeze of whatever is 1', 9, [1, 3, 1], [node('Squeeze', ['x'], ['y'])]],
  [
    'ReduceMean with attributes',
    13,
    [2, 3, 4],
    [node('ReduceMean', ['x'], ['y'], ints('axes', 1), int('keepdims', 0))],
  ],
  ['ReduceSum with attributes', 11, [2, 3, 4], [node('ReduceSum', ['x'], ['y'], ints('axes', 0, 2))]],
  ['ReduceMax of everything', 12, [2, 3], [node('ReduceMax', ['x'], ['y'])]],
  ['ReduceL1, not an operator of ours', 13, [2, 3], [node('ReduceL1', ['x'], ['y'], ints('axes', 1))]],
  ['Clip with attributes', 7, [4, 5], [node('Clip', ['x'], ['y'], float('min', -0.5), float('max', 0.5))]],
  ['Clip with one bound', 10, [4, 5], [node('Clip', ['x'], ['y'], float('min', 0))]],
  ['Pad with attributes', 10, [2, 3], [node('Pad', ['x'], ['y'], ints('pads', 1, 0, 0, 2), float('value', 2.5))]],
  ['Pad by reflection', 9, [3, 4], [node('Pad', ['x'], ['y'], ints('pads', 1, 1, 0, 2), text('mode', 'reflect'))]],
  [
    'Slice with attributes',
    9,
    [5, 6],
    [node('Slice', ['x'], ['y'], ints('starts', 1, -3), ints('ends', 4, 1000), ints('axes', 0, 1))],
  ],
  [
    'Split into given sizes',
    11,
    [2, 5],
    [
      node('Split', ['x'], ['a', 'b'], int('axis', 1), ints('split', 2, 3)),
      node('Concat', ['b', 'a'], ['y'], int('axis', 1)),
    ],
  ],
  [
    'Split into equal parts',
    11,
    [2, 6],
    [node('Split', ['x'], ['a', 'b'], int('axis', 1)), node('Sub', ['b', 'a'], ['y'])],
  ],
  ['TopK with an attribute', 9, [3, 6], [node('TopK', ['x'], ['y', 'i'], int('k', 2), int('axis', 1))]],
  ['Dropout', 7, [3, 4], [node('Dropout', ['x'], ['y'], float('ratio', 0.4))]],
  [
    'Upsample with attributes, nearest',
    7,
    [1, 2, 3, 3],
    [node('Upsample', ['x'], ['y'], floats('scales', 1, 1, 2, 2), text('mode', 'nearest'))],
  ],
  [
    'Upsample, linear',
    8,
    [1, 1, 3, 4],
    [node('Upsample', ['x'], ['y'], floats('scales', 1, 1, 2, 3), text('mode', 'linear'))],
  ],
  [
    'MaxPool with automatic padding',
    11,
    [1, 2, 7, 7],
    [node('MaxPool', ['x'], ['y'], ints('kernel_shape', 3, 3), ints('strides', 2, 2), text('auto_pad', 'SAME_UPPER'))],
  ],
  ['Sum of several', 8, [3], [node('Sum', ['x', 'x', 'x'], ['y'])]],
  ['GridSample, renamed modes', 16, [1, 1, 2, 2], [node('GridSample', ['x', 'x'], ['y'], text('mode', 'bilinear'))]],
  [
    'LeakyRelu and LRN, kept as they stand',
    11,
    [1, 4, 3, 3],
    [node('LeakyRelu', ['x'], ['l'], float('alpha', 0.3)), node('LRN', ['l'], ['y'], int('size', 3))],
  ],
  ['Flatten', 9, [2, 3, 4], [node('Flatten', ['x'], ['y'], int('axis', 2))]],
];

describe('models of older opsets', () => {
  test.each(oldForms)('%s', async (_name, opset, dims, nodes) => {
    const { composed, original, spliced } = await both(small(opset, dims, nodes), dims);
    expect(composed.y!.dims).toEqual(original.y!.dims);
    expect(composed.y!.data).toEqual(original.y!.data);
    expect(spliced[0]!.dims.length === original.y!.dims.length || spliced[0]!.dims[0] === '?').toBe(true);
  });

  test('BatchNormalization drops what it had for training', async () => {
    const statistics = ['s', 'b', 'm', 'v'];
    const bytes = small(
      7,
      [2, 3, 2, 2],
      [node('BatchNormalization', ['x', ...statistics], ['y'], float('epsilon', 0.01), int('spatial', 1))],
      statistics.map((name, i) => numbers(name, [3], Float32Array.of(0.5 + i, 1 + i, 2 + i))),
    );
    const { composed, original } = await both(bytes, [2, 3, 2, 2]);
    expect(composed.y!.data).toEqual(original.y!.data);
  });

  test('Resize of opset 10', async () => {
    const scales = numbers('scales', [4], Float32Array.of(1, 1, 2, 1.5));
    const bytes = small(10, [1, 1, 3, 4], [node('Resize', ['x', 'scales'], ['y'], text('mode', 'linear'))], [scales]);
    const { composed, original } = await both(bytes, [1, 1, 3, 4]);
    expect(composed.y!.data).toEqual(original.y!.data);
  });

  test('opset 13 and newer stay as they are', () => {
    const bytes = small(22, ['N'], [node('Relu', ['x'], ['y'])]);
    const x = input('x', 'float32', ['N']);
    const [y] = applyModel(importModel(bytes), { x }, ['y']);
    expect(print([y!])).toBe('x [N]\n%0 [N] = Relu(x)\nreturn %0');
  });

  test('a newer opset is kept where nodes of its own need it', () => {
    const bytes = small(23, ['N'], [node('Softsign', ['x'], ['y'])]);
    const x = input('x', 'float32', ['N']);
    const [y] = applyModel(importModel(bytes), { x }, ['y']);
    expect(readModel(toModel({ name: 'm', inputs: [x], outputs: { y: y! } })).opsetImport).toEqual([{ version: 23 }]);
  });
});
