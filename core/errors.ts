/** Errors that somebody catches by name. Everything else is an ordinary Error and means: try again, or our fault. */

/** Trying again cannot help. The message names the thing and the remedy, in one line, for the person who reads it. */
export class PermanentError extends Error {
  override name = 'PermanentError';
}

/** One input cannot be used; the run goes on. The message is the reason shown in the receipt. */
export class RejectedInput extends Error {
  override name = 'RejectedInput';
}

/** The command was written wrongly: exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}
