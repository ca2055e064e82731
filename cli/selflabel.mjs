#!/usr/bin/env node
/** Where the built program begins: with the bundle of `serve`, whose start counts, or with that of all commands. */
import * as modules from 'node:module';
import { fileURLToPath } from 'node:url';

const words = process.argv.slice(2);
if (words.find(word => !word.startsWith('-')) === 'serve') {
  await modules
    .createRequire(import.meta.url)('./serve/start.cjs')
    .start(words);
} else {
  /** From Node 22.8 on. @type {{ readonly enableCompileCache?: (folder: string) => unknown }} */
  const { enableCompileCache } = /** @type {object} */ (modules);
  // Compiled code is kept beside the program, where nobody can write who cannot write the program; where nobody can at all, it is not kept.
  enableCompileCache?.(fileURLToPath(new URL('./compiled', import.meta.url)));
  await import(new URL('./main.mjs', import.meta.url).href);
}
