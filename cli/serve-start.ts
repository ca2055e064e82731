/**
 * How `selflabel serve` starts: the thread for the model first, since the first answer waits longest for it, then the program,
 * from the code that an earlier start compiled.
 */
import { fileURLToPath } from 'node:url';
import { type KeptProgram, runKept } from '#adapters/local/kept-code';
import { Session } from '#adapters/onnxruntime/session';

type Program = typeof import('./serve-program.ts');

/** The build puts the bundle's name here. */
const file = fileURLToPath(new URL('./serve-program.ts', import.meta.url));

/** Beside the whole program, where nobody can write who cannot write the program. */
const compiled = fileURLToPath(new URL('../compiled', import.meta.url));

/** @param words of the command line; the thread would be for nothing where they ask for help or name no model */
export async function start(words: readonly string[]): Promise<void> {
  const named = words.filter(word => !word.startsWith('-')).length > 1;
  const session = named && !words.some(word => word === '--help' || word === '-h') ? Session.start() : undefined;
  const { exports, keep }: KeptProgram<Program> = runKept(file, compiled);
  exports.beginAhead({ session, keepCompiled: keep });
  process.exitCode = await exports.main();
  await exports.takeAhead()?.session?.close();
}
