/** The computer's clock. */
import type { Clock } from '#pipeline/ports';

export const systemClock: Clock = { now: () => Date.now() };
