/** Formulas of sizes: hand-made texts, and agreement with plain numbers whatever the sizes are. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  ceilDivided,
  type Dim,
  dividedEvenly,
  elementCount,
  floorDivided,
  merged,
  minus,
  plus,
  smaller,
  times,
} from '#core/graph/dims';

test.each<[Dim | undefined, Dim | undefined]>([
  [plus('H', 3), 'H+3'],
  [plus('H+3', -3), 'H'],
  [plus('H-1', 'W+1'), 'H+W'],
  [plus('W', 'H'), 'H+W'],
  [plus('H', 'H'), '2*H'],
  [minus('H+3', 'H'), 3],
  [minus('H', 'W'), 'H-W'],
  [minus(5, 2), 3],
  [times('W', 'H'), 'H*W'],
  [times(2, times('W', 3)), '6*W'],
  [times('H+1', 2), '2*(H+1)'],
  [times('H', 0), 0],
  [times('H', 1), 'H'],
  [elementCount([]), 1],
  [elementCount(['N', 3, 'H', 'W']), '3*H*N*W'],
  [dividedEvenly('3*H*N*W', 'N'), '3*H*W'],
  [dividedEvenly('4*H', 8), undefined],
  [dividedEvenly('H', 'W'), undefined],
  [floorDivided('2*H', 2), 'H'],
  [floorDivided('H+1', 2), 'floor((H+1)/2)'],
  [floorDivided(plus(floorDivided('H+1', 2), 1), 2), 'floor((H+3)/4)'],
  [ceilDivided('H', 32), 'floor((H+31)/32)'],
  [ceilDivided(7, 2), 4],
  [merged('H', 4), 4],
  [merged(4, 'H'), 4],
  [merged('H', 'W'), 'H'],
  [merged(3, 4), undefined],
  [smaller('H', 4), 'min(H,4)'],
  [smaller('H', 'H'), 'H'],
])('%s is %s', (actual, expected) => {
  expect(actual).toBe(expected);
});

/** Random programs of these operations, once on symbols and once on numbers. */
test('formulas have the value that numbers give', () => {
  const operation = fc.oneof(
    fc.record({ kind: fc.constant('plus' as const), value: fc.integer({ min: -4, max: 9 }) }),
    fc.record({ kind: fc.constant('times' as const), value: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constant('floor' as const), value: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ kind: fc.constant('plusW' as const), value: fc.constant(0) }),
    fc.record({ kind: fc.constant('timesW' as const), value: fc.constant(0) }),
  );
  const size = fc.integer({ min: 30, max: 90 });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 8 }), size, size, (program, H, W) => {
      const run = (h: Dim, w: Dim) =>
        program.reduce<Dim>((dim, { kind, value }) => {
          if (kind === 'plus') return plus(dim, value);
          if (kind === 'times') return times(dim, value);
          if (kind === 'floor') return floorDivided(dim, value);
          return kind === 'plusW' ? plus(dim, w) : times(dim, w);
        }, h);
      const formula = String(run('H', 'W')).replaceAll('floor', 'Math.floor');
      expect(new Function('H', 'W', `return ${formula}`)(H, W)).toBe(run(H, W));
    }),
    { numRuns: 1000 },
  );
});
