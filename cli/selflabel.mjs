#!/usr/bin/env node
/** Where the built program begins: with the bundle of `serve`, whose start counts, or with that of all commands. */
import * as modules from 'node:module';
import { fileURLToPath } from 'node:url';

/** From Node 22.8 on. @type {{ readonly enableCompileCache?: (folder: string) => unknown }} */
const { enableCompileCache } = /** @type {object} */ (modules);
// Compiled code is kept beside the program, where nobody can write who cannot write the program; where nobody can at all, it is not kept.
enableCompileCache?.(fileURLToPath(new URL('./compiled', import.meta.url)));

const command = process.argv.slice(2).find(word => !word.startsWith('-'));
await import(command === 'serve' ? './serve/main.mjs' : './main.mjs');
