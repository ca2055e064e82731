/** Schemas of what a server reads before its first answer: zod's small form, a third of the other to load, with the same words. */
import { en } from 'zod/locales';
import { config } from 'zod/mini';

// The other form does this by itself.
config(en());

export * from 'zod/mini';
