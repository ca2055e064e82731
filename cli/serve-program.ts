/** What the bundle of `serve` is for whoever starts it (`serve-start`). */
export { beginAhead, takeAhead } from './ahead.ts';
export { main } from './program.ts';
