/** What a schema complains about, for people. */
import type { ZodError } from 'zod';

/** The first few complaints of a schema in one line. */
export const sayIssues = (error: ZodError): string =>
  error.issues
    .slice(0, 3)
    .map(issue => `${issue.path.join('.') || 'the document'}: ${issue.message}`)
    .join('; ');
