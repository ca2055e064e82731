/** The crop in the middle of a picture inside a graph, as torchvision cuts it. */
import { expect, test } from 'vitest';
import { input } from '#core/graph/tensor';
import { centreCrop } from '#core/image/pixel-input';
import { run } from '../graph/runtime.ts';

/** torchvision.transforms.functional.center_crop: int(round(spare / 2)), and Python rounds halves to even. */
const first = (size: number, side: number) => {
  const half = (size - side) / 2;
  const below = Math.floor(half);
  return half === below ? half : below % 2 === 0 ? below : below + 1;
};

test.each([
  [4, 4],
  [5, 4],
  [6, 9],
  [7, 11],
  [10, 4],
])('%i × %i', async (height, width) => {
  const side = 4;
  const image = input('image', 'float32', ['N', 3, 'H', 'W']);
  const data = Array.from({ length: 2 * 3 * height * width }, (_, i) => i);
  const [crop] = await run([centreCrop(image, side)], { image: { dims: [2, 3, height, width], data } });
  const [top, left] = [first(height, side), first(width, side)];
  const expected = Array.from({ length: 2 * 3 * side * side }, (_, i) => {
    const [plane, y, x] = [Math.floor(i / side / side), Math.floor(i / side) % side, i % side];
    return plane * height * width + (top + y) * width + left + x;
  });
  expect(crop).toEqual({ dims: [2, 3, side, side], data: expected });
});
