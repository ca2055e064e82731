/** Similar vectors two by two, and the groups they make. */
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { OnnxRuntime } from '#adapters/onnxruntime/onnx-runtime';
import { similarGraph } from '#core/clustering/similar-graph';
import { SimilarGroups } from '#core/clustering/similar-groups';
import { unitRows } from '#core/clustering/unit-rows';
import { Random } from '#core/random';

const models = new OnnxRuntime();
afterAll(() => models.close());

test('the graph finds the most similar of the other vectors, by rows and by columns', async () => {
  const [dimension, rows, columns, few] = [7, 20, 13, 3];
  const random = new Random(4);
  const draw = (count: number) =>
    unitRows(
      Float32Array.from({ length: count * dimension }, () => random.normal()),
      count,
      dimension,
    );
  const [a, b] = [draw(rows), draw(columns)];
  // Rows 2 … 14 of a are the columns of b.
  a.set(b, 2 * dimension);
  const model = await models.load(similarGraph(dimension, few), { sessions: 1, threadsPerSession: 1 });
  const { outputs } = await model.run({
    a: { type: 'float32', dims: [rows, dimension], data: a.slice() },
    b: { type: 'float32', dims: [columns, dimension], data: b.slice() },
    'ids of a': { type: 'int32', dims: [rows, 1], data: Int32Array.from({ length: rows }, (_, i) => i) },
    'ids of b': { type: 'int32', dims: [1, columns], data: Int32Array.from({ length: columns }, (_, i) => i + 2) },
  });
  const cosine = (i: number, j: number) => {
    if (i === j + 2) return -2;
    let sum = 0;
    for (let d = 0; d < dimension; d++) sum += a[i * dimension + d]! * b[j * dimension + d]!;
    return sum;
  };
  for (let i = 0; i < rows; i++) {
    const best = [...Array(columns).keys()].sort((x, y) => cosine(i, y) - cosine(i, x)).slice(0, few);
    expect([...outputs.nearest!.data].slice(i * few, (i + 1) * few)).toEqual(best);
    best.forEach((j, place) => {
      expect(outputs.cosines!.data[i * few + place]).toBeCloseTo(cosine(i, j), 5);
    });
  }
  for (let j = 0; j < columns; j++) {
    const best = [...Array(rows).keys()].reduce((x, y) => (cosine(y, j) > cosine(x, j) ? y : x));
    expect(outputs.row!.data[j]).toBe(best);
    expect(outputs.cosine!.data[j]).toBeCloseTo(cosine(best, j), 5);
  }
});

test('groups are the connected parts, whatever the order of the links', () => {
  const link = fc.tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 0, max: 15 })).filter(([a, b]) => a !== b);
  fc.assert(
    fc.property(fc.array(link, { maxLength: 30 }), links => {
      const groups = new SimilarGroups();
      for (const [a, b] of links) groups.link(a, b, 1);
      // Spread the smallest number along the links until nothing changes.
      const part = Array.from({ length: 16 }, (_, i) => i);
      for (let round = 0; round < 16; round++)
        for (const [a, b] of links) part[a] = part[b] = Math.min(part[a]!, part[b]!);
      const linked = new Set(links.flat());
      const expected = [...new Set([...linked].map(i => part[i]!))].map(root =>
        [...linked].filter(i => part[i] === root).sort((a, b) => a - b),
      );
      expected.sort((a, b) => b.length - a.length || a[0]! - b[0]!);
      expect(groups.groups().map(({ members }) => members)).toEqual(expected);
    }),
  );
});

test('each member keeps its strongest link, of equal ones that to the first', () => {
  const groups = new SimilarGroups();
  groups.link(5, 9, 0.991);
  groups.link(5, 7, 0.995);
  groups.link(2, 7, 0.995);
  expect(groups.groups()).toEqual([
    {
      members: [2, 5, 7, 9],
      strongest: [
        { to: 7, strength: 0.995 },
        { to: 7, strength: 0.995 },
        { to: 2, strength: 0.995 },
        { to: 5, strength: 0.991 },
      ],
    },
  ]);
});
