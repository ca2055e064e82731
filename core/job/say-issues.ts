/** What a schema complains about, for people. */

/** Of any form of zod. */
interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** The first few complaints of a schema in one line. */
export const sayIssues = (error: { readonly issues: readonly Issue[] }): string =>
  error.issues
    .slice(0, 3)
    .map(issue => `${issue.path.join('.') || 'the document'}: ${issue.message}`)
    .join('; ');
