/** The compact table of digests against a Map, over sizes that make it grow. */
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { FirstSeen } from '#core/job/first-seen';
import { Random } from '#core/random';

it.each([0, 1000, 5000])('knows the first of equals among 5000 as a Map does, %i expected', expected => {
  const random = new Random(4);
  const [seen, reference] = [new FirstSeen(expected), new Map<string, number>()];
  let copies = 0;
  for (let image = 0; image < 5000; image++) {
    const digest = createHash('sha256')
      .update(String(random.integer(4000)))
      .digest('hex');
    const first = reference.get(digest) ?? image;
    reference.set(digest, first);
    expect(seen.enter(digest, image)).toBe(first);
    if (first !== image) copies++;
  }
  expect(copies).toBeGreaterThan(1000);
});

it('tells digests apart that begin alike', () => {
  const seen = new FirstSeen();
  const digests = ['0', '1', 'f'].map(end => '7'.repeat(23) + end.padEnd(41, '0'));
  expect(digests.map((digest, image) => seen.enter(digest, image))).toEqual([0, 1, 2]);
  expect(digests.map(digest => seen.enter(digest, 9))).toEqual([0, 1, 2]);
});
