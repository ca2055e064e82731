/** How the playground reads a label map in the browser: PNG bytes to ids, since a canvas would turn ids into colours. */

/**
 * Functions for the page's script:
 * - `readMask(bytes)`: an 8-bit palette or grey PNG or a 16-bit grey one → `{width, height, ids}`, ids [height, width];
 * - `segmentsOf(segments, width, height)`: COCO run lengths, compressed or not → [height, width], number of the segment
 *   plus one, 0 where there is none.
 */
export const playgroundMaskScript = `
  // PNG, ISO/IEC 15948: chunks of length, type, data and checksum; scanlines with a filter byte each.
  const pngSignature = [137, 80, 78, 71, 13, 10, 26, 10];
  const readMask = async bytes => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (pngSignature.some((byte, at) => bytes[at] !== byte)) throw new Error('The label map is no PNG file.');
    const packed = [];
    for (let at = 8; at + 12 <= bytes.length; at += 12 + view.getUint32(at)) {
      if (view.getUint32(at + 4) === 0x49444154) packed.push(bytes.subarray(at + 8, at + 8 + view.getUint32(at)));
    }
    const [width, height, depth, colour, interlaced] = [view.getUint32(16), view.getUint32(20), bytes[24], bytes[25], bytes[28]];
    const step = depth / 8;
    if (!(colour === 0 || (colour === 3 && depth === 8)) || (depth !== 8 && depth !== 16) || interlaced) {
      throw new Error('The label map is written in a form this page does not read.');
    }
    const inflated = new Blob(packed).stream().pipeThrough(new DecompressionStream('deflate'));
    const lines = new Uint8Array(await new Response(inflated).arrayBuffer());
    if (lines.length !== height * (1 + width * step)) throw new Error('The label map is cut off.');
    unfilter(lines, width * step, height, step);
    const ids = new Uint16Array(width * height);
    for (let y = 0, to = 0; y < height; y++) {
      let from = y * (1 + width * step) + 1;
      for (let x = 0; x < width; x++, from += step) ids[to++] = step === 1 ? lines[from] : (lines[from] << 8) | lines[from + 1];
    }
    return { width, height, ids };
  };
  const unfilter = (lines, stride, height, step) => {
    for (let y = 0; y < height; y++) {
      const start = y * (stride + 1);
      const filter = lines[start];
      for (let at = start + 1; at <= start + stride; at++) {
        const left = at - start > step ? lines[at - step] : 0;
        const up = y > 0 ? lines[at - stride - 1] : 0;
        const corner = y > 0 && at - start > step ? lines[at - stride - 1 - step] : 0;
        lines[at] += filter === 0 ? 0 : filter === 1 ? left : filter === 2 ? up : filter === 3 ? (left + up) >> 1 : paeth(left, up, corner);
      }
    }
  };
  const paeth = (left, up, corner) => {
    const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
    return a <= b && a <= c ? left : b <= c ? up : corner;
  };

  // COCO run lengths: outside and inside in turn, column by column; compressed as cocoapi's rleToString does it.
  const countsOf = counts => {
    if (typeof counts !== 'string') return counts;
    const list = [];
    for (let at = 0; at < counts.length; ) {
      let value = 0;
      let shift = 0;
      let group;
      do {
        group = counts.charCodeAt(at++) - 48;
        value |= (group & 31) << shift;
        shift += 5;
      } while (group & 32);
      if (group & 16) value |= -1 << shift;
      list.push(list.length > 2 ? value + list[list.length - 2] : value);
    }
    return list;
  };
  const segmentsOf = (segments, width, height) => {
    const owner = new Uint16Array(width * height);
    segments.forEach(({ rle }, number) => {
      if (!rle || rle.size[0] !== height || rle.size[1] !== width) return;
      let at = 0;
      let inside = false;
      for (const run of countsOf(rle.counts)) {
        if (inside) for (let i = at; i < at + run; i++) owner[(i % height) * width + Math.floor(i / height)] = number + 1;
        at += run;
        inside = !inside;
      }
    });
    return owner;
  };
`;
