/** sharp, set up once for this process: photo formats only, no cache. Everybody here imports it from this file. */
import { createRequire } from 'node:module';
import type { default as Library, Sharp } from 'sharp';

let library: typeof Library | undefined;

/** The library, read when it is first needed: it takes longer than everything else a program starts with. */
function loaded(): typeof Library {
  // As CommonJS, in which its many small files take a third of the time.
  library ??= restricted(createRequire(import.meta.url)('sharp') as typeof Library);
  return library;
}

function restricted(all: typeof Library): typeof Library {
  // Everything else that the library could open (SVG, PDF, its own script-like formats) stays shut, whatever a file is called.
  all.block({ operation: ['VipsForeignLoad'] });
  all.unblock({
    operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Tiff', 'Heif'].map(format => `VipsForeignLoad${format}`),
  });
  all.cache(false);
  // One thread per picture; several pictures at once use the cores better than several threads on one.
  all.concurrency(1);
  return all;
}

export const sharp = (...picture: Parameters<typeof Library>): Sharp => loaded()(...picture);
