/** The even-odd rule straight from its definition: slow, for any polygons. */

/** [height, width], 1 where a ray from the pixel's centre to the right crosses the edges an odd number of times. */
export function fillByRays(polygons: readonly ArrayLike<number>[], width: number, height: number): Uint8Array {
  const mask = new Uint8Array(width * height);
  for (let i = 0; i < mask.length; i++) {
    const [cx, cy] = [(i % width) + 0.5, Math.floor(i / width) + 0.5];
    let crossings = 0;
    for (const polygon of polygons) {
      for (let p = 0; p < polygon.length; p += 2) {
        const q = (p + 2) % polygon.length;
        const [ax, ay, bx, by] = [polygon[p]!, polygon[p + 1]!, polygon[q]!, polygon[q + 1]!];
        if (ay > cy !== by > cy && cx < ((bx - ax) * (cy - ay)) / (by - ay) + ax) crossings++;
      }
    }
    mask[i] = crossings % 2;
  }
  return mask;
}
