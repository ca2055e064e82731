/** What S3 and SQS answer when they did not do what was asked, sorted by what can be done about it. */
import { PermanentError, RejectedInput } from '#core/errors';

export type Trouble =
  /** There is no such object. */
  | 'absent'
  /** The condition did not hold: somebody else was first. */
  | 'lost'
  /** Somebody else is writing the same key at this moment; nothing was done. */
  | 'contended'
  /** Asked too fast. */
  | 'throttled'
  /** Broken on their side or on the way: it may have been done or not. */
  | 'failed'
  /** Asking again cannot help. */
  | 'refused';

const named: Readonly<Record<string, Trouble>> = {
  NoSuchKey: 'absent',
  NotFound: 'absent',
  NoSuchUpload: 'absent',
  NoSuchBucket: 'refused',
  PreconditionFailed: 'lost',
  ConditionalRequestConflict: 'contended',
  OperationAborted: 'contended',
  SlowDown: 'throttled',
  Throttling: 'throttled',
  ThrottlingException: 'throttled',
  RequestThrottled: 'throttled',
  TooManyRequestsException: 'throttled',
  OverLimit: 'throttled',
  // Answered with 4xx, yet no fault of the request: a slow or damaged upload, a clock, credentials being renewed.
  RequestTimeout: 'failed',
  RequestTimeTooSkewed: 'failed',
  ExpiredToken: 'failed',
  BadDigest: 'failed',
  InvalidDigest: 'failed',
  IncompleteBody: 'failed',
  XAmzContentSHA256Mismatch: 'failed',
  CredentialsProviderError: 'refused',
};

const byStatus: Readonly<Record<number, Trouble>> = {
  404: 'absent',
  409: 'contended',
  412: 'lost',
  429: 'throttled',
  503: 'throttled',
};

interface Answered {
  readonly name?: string;
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string };
  readonly $response?: { readonly statusCode?: number };
}

const statusOf = ({ $metadata, $response }: Answered): number | undefined =>
  $metadata?.httpStatusCode ?? $response?.statusCode;

/** Without a status there was no answer that could be read: the connection broke, or the bytes did not match their checksum. */
export function troubleOf(failure: unknown): Trouble {
  const answered = failure as Answered;
  const known = named[answered.name ?? ''];
  if (known) return known;
  const status = statusOf(answered);
  if (status === undefined) return 'failed';
  return byStatus[status] ?? (status >= 300 && status < 500 ? 'refused' : 'failed');
}

/** Why one object of the user's cannot be read, though the bucket can. */
const readReasons: Readonly<Record<string, string>> = {
  InvalidObjectState: 'it is archived; restore it first',
  'KMS.DisabledException': 'its encryption key is disabled',
  'KMS.NotFoundException': 'its encryption key is gone',
};

const credentials = 'the AWS credentials are missing or not valid; sign in again or give this process a role';
const region = 'it lies in another region; set AWS_REGION to that one';

const permission =
  'permission is missing; allow it for the role in use (listing too, or what is absent looks forbidden)';

const remedies: Readonly<Record<string, string>> = {
  AccessDenied: permission,
  // HEAD has no body that could say more.
  'status 301': region,
  'status 403': permission,
  NoSuchBucket: 'there is no such bucket; create it or correct its name',
  InvalidAccessKeyId: credentials,
  SignatureDoesNotMatch: credentials,
  InvalidClientTokenId: credentials,
  UnrecognizedClientException: credentials,
  CredentialsProviderError: credentials,
  PermanentRedirect: region,
  AuthorizationHeaderMalformed: region,
  KeyTooLongError: 'the name is too long; shorten it',
  EntityTooLarge: 'it is too large for one object',
  QueueDoesNotExist: 'there is no such queue; create it or correct its address',
  'AWS.SimpleQueueService.NonExistentQueue': 'there is no such queue; create it or correct its address',
};

/**
 * The error for people: never the service's own text and no `cause`, since both may quote access keys, signatures or paths.
 * @param what the operation and the thing, as "write jobs/j/plan.json to bucket b"
 */
export function refusal(failure: unknown, what: string): PermanentError | RejectedInput {
  const name = nameOf(failure);
  const reason = readReasons[name];
  if (reason) return new RejectedInput(reason);
  return new PermanentError(`cannot ${what}: ${remedies[name] ?? `refused as ${name}; check the request`}`);
}

/** An ordinary error: the queue tries again. */
export const givenUp = (failure: unknown, what: string, attempts: number): Error =>
  new Error(`cannot ${what}: ${nameOf(failure)}, ${attempts} times${requestOf(failure)}`);

function nameOf(failure: unknown): string {
  const answered = failure as Answered;
  const status = statusOf(answered);
  const word = answered.code ?? answered.name ?? 'Error';
  // Where an answer was no XML the name is that of a parser's error: the status says more.
  return status !== undefined && /^(Error|SyntaxError|UnknownError|Unknown)$/.test(word) ? `status ${status}` : word;
}

function requestOf(failure: unknown): string {
  const id = (failure as Answered).$metadata?.requestId;
  return id ? ` (last request ${id})` : '';
}
