/** sharp, set up once for this process: photo formats only, no cache. Everybody here imports it from this file. */
import sharp from 'sharp';

// Everything else that the library could open (SVG, PDF, its own script-like formats) stays shut, whatever a file is called.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Tiff', 'Heif'].map(format => `VipsForeignLoad${format}`),
});
sharp.cache(false);
// One thread per picture; several pictures at once use the cores better than several threads on one.
sharp.concurrency(1);

export { sharp };
