/** The built `selflabel serve` as a process of its own, while something is asked of it. */
import { type Outcome, start } from './command-line.ts';

/** @param ask with the server's address and its process. @returns how the process ended after SIGTERM */
export async function whileServing(
  words: readonly string[],
  ask: (url: string, pid: number) => Promise<void>,
): Promise<Outcome> {
  const { child, outcome } = start(['serve', ...words, '--port', '0']);
  try {
    const url = await new Promise<string>((resolve, reject) => {
      let said = '';
      child.stderr!.on('data', text => {
        said += text;
        const [, address] = /serving .* on (http:\S+)/.exec(said) ?? [];
        if (address) resolve(address);
      });
      child.once('close', () => reject(new Error(`selflabel serve ended:\n${said}`)));
    });
    await ask(url, child.pid!);
  } finally {
    child.kill('SIGTERM');
  }
  return outcome;
}
