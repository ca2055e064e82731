/** The most similar vectors between two blocks as an ONNX graph, so that only the best few of all products leave it. */
import { toModel } from '../graph/model.ts';
import { argMax, cast, equal, matmul, reduceMax, topK, transpose, where } from '../graph/ops.ts';
import { constant, input } from '../graph/tensor.ts';

/**
 * Cosines of unit rows.
 *
 * Inputs: `a` float32 [rows, dimension] and `b` float32 [columns, dimension], of length one; `ids of a` int32 [rows, 1] and
 * `ids of b` int32 [1, columns], by which a vector is known in both: it is not compared with itself.
 * Outputs: `cosines` float32 [rows, few] and `nearest` int32 [rows, few], the columns most similar to each row; `cosine`
 * float32 [columns] and `row` int32 [columns], the row most similar to each column.
 * @param few at most the number of columns
 */
export function similarGraph(dimension: number, few: number): Uint8Array {
  const a = input('a', 'float32', ['rows', dimension]);
  const b = input('b', 'float32', ['columns', dimension]);
  const idsOfA = input('ids of a', 'int32', ['rows', 1]);
  const idsOfB = input('ids of b', 'int32', [1, 'columns']);
  const products = matmul(a, transpose(b, { perm: [1, 0] }));
  const others = where(equal(idsOfA, idsOfB), constant(-2), products);
  const [cosines, nearest] = topK(others, few);
  return toModel({
    name: 'similar',
    inputs: [a, b, idsOfA, idsOfB],
    outputs: {
      cosines,
      nearest: cast(nearest, { to: 'int32' }),
      cosine: reduceMax(others, { axes: [0], keepdims: 0 }),
      row: cast(argMax(others, { axis: 0, keepdims: 0 }), { to: 'int32' }),
    },
  });
}
