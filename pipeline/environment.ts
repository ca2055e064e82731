/** Reading the environment of a function or a task: what every door checks in the same way. */
import type { z } from 'zod';
import { PermanentError } from '#core/errors';
import { sayIssues } from '#core/job/say-issues';

export type Environment = Readonly<Record<string, string | undefined>>;

/** @throws PermanentError that names the variable that is missing or wrong */
export function readEnvironment<T>(schema: z.ZodType<T>, environment: Environment): T {
  const read = schema.safeParse(environment);
  if (!read.success) throw new PermanentError(`the environment is not usable: ${sayIssues(read.error)}`);
  return read.data;
}

/** The value of a variable that holds JSON. What is none is left to the schema to complain about. */
export function jsonValue(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return text;
  }
}
