/** What a client throws when the service says no. */
import type { Problem } from './contract.ts';

type Violation = NonNullable<Problem['errors']>[number];

/** An answer that is no success: the service's own words (RFC 9457), or the bare status where something else answered. */
export class ApiProblem extends Error {
  override name = 'ApiProblem';
  /** HTTP status. */
  readonly status: number;
  /** Stable name of the kind, to be compared: `unknown-model`, `image-unusable`, `too-many`, …; empty if not known. */
  readonly kind: string;
  readonly title: string;
  /** What is wrong and what to do. */
  readonly detail: string;
  /** To be quoted when asking for help; empty if not known. */
  readonly requestId: string;
  /** Each violation of the API's description. */
  readonly errors: readonly Violation[];
  /** Seconds that the service asks to wait, if it does. */
  readonly retryAfter: number | undefined;

  constructor({ status, type, title, detail, requestId, errors = [] }: Problem, retryAfter?: number) {
    super(`${title}: ${detail}`);
    this.status = status;
    this.kind = /^\/problems\/(.+)$/.exec(type)?.[1] ?? '';
    this.title = title;
    this.detail = detail;
    this.requestId = requestId;
    this.errors = errors;
    this.retryAfter = retryAfter;
  }
}

/** Reads an answer that is no success. */
export async function problemOf(response: Response): Promise<ApiProblem> {
  const text = await response.text();
  return new ApiProblem(documentOf(text) ?? bareStatus(response, text), retryAfterOf(response.headers));
}

function documentOf(text: string): Problem | undefined {
  try {
    const document: unknown = JSON.parse(text);
    return isProblem(document) ? document : undefined;
  } catch {
    // A proxy's page, or nothing at all.
    return undefined;
  }
}

const isProblem = (document: unknown): document is Problem =>
  typeof document === 'object' &&
  document !== null &&
  typeof (document as Problem).title === 'string' &&
  typeof (document as Problem).status === 'number' &&
  typeof (document as Problem).type === 'string';

/** What API Gateway or a proxy says stands in the detail, shortened. */
function bareStatus({ status, statusText, headers }: Response, text: string): Problem {
  return {
    type: 'about:blank',
    title: `HTTP ${status}${statusText && ` ${statusText}`}`,
    status,
    detail: text.trim().slice(0, 200) || 'no further words',
    requestId: headers.get('x-request-id') ?? headers.get('x-amzn-requestid') ?? '',
  };
}

/** Retry-After in seconds; it may be a number or a date (RFC 9110, 10.2.3). */
function retryAfterOf(headers: Headers): number | undefined {
  const text = headers.get('retry-after');
  if (text === null) return undefined;
  const seconds = /^\d+$/.test(text) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds);
}
