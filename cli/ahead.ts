/** What the launcher of `serve` did before the program was read. */
import type { Session } from '#adapters/onnxruntime/session';

export interface Ahead {
  /** A thread that gets ready for the model. */
  readonly session?: Session | undefined;
  /** Keeps what has been compiled by now for the next start; the first call counts. */
  keepCompiled(): void;
}

let begun: Ahead | undefined;

export function beginAhead(ahead: Ahead): void {
  begun = ahead;
}

/** Whoever takes it closes it. Undefined where the program was started without the launcher, and from the second time on. */
export function takeAhead(): Ahead | undefined {
  const taken = begun;
  begun = undefined;
  return taken;
}
