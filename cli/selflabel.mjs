#!/usr/bin/env node
/** Where the built program begins: with the bundle of `serve`, whose start counts, or with that of all commands. */
const command = process.argv.slice(2).find(word => !word.startsWith('-'));
await import(command === 'serve' ? './serve/main.mjs' : './main.mjs');
