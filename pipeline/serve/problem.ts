/** What the API says when it cannot do what was asked: RFC 9457 problem documents. */
import type { ApiAnswer } from '#core/api/exchange';
import { problemType } from '#core/api/openapi';

/** Kind → status and title. The kind is the stable name that programs may rely on. */
const kinds = {
  malformed: [400, 'The request is malformed'],
  unauthorised: [401, 'A valid token is needed'],
  'foreign-bucket': [403, 'This bucket may not be read'],
  'address-refused': [403, 'This address may not be fetched'],
  forbidden: [403, 'Not allowed'],
  'no-route': [404, 'No such route'],
  'unknown-model': [404, 'No such model'],
  'unknown-job': [404, 'No such job'],
  'not-acceptable': [406, 'None of the accepted media types is offered'],
  'too-large': [413, 'Too large'],
  'media-type': [415, 'This media type is not taken'],
  'image-unusable': [422, 'The image cannot be used'],
  unprocessable: [422, 'The request cannot be followed'],
  'too-many': [429, 'Too much at once'],
  'no-model': [503, 'No model is published yet'],
  'model-unusable': [503, 'The model cannot be used'],
  stopping: [503, 'The server is stopping'],
  'no-store': [503, 'This server keeps no jobs'],
  internal: [500, 'Our fault'],
} as const;

export type ProblemKind = keyof typeof kinds;

export interface Violation {
  readonly path: string;
  readonly message: string;
}

export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly requestId: string;
  readonly error?: string;
  readonly errors?: readonly Violation[];
}

interface ProblemMore {
  readonly errors?: readonly Violation[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

export class Problem extends Error {
  override name = 'Problem';
  readonly kind: ProblemKind;
  readonly headers: Readonly<Record<string, string>>;
  readonly #errors: readonly Violation[] | undefined;

  /** @param detail what is wrong here and what to do, for people */
  constructor(kind: ProblemKind, detail: string, { errors, headers = {}, cause }: ProblemMore = {}) {
    super(detail, { cause });
    this.kind = kind;
    this.headers = headers;
    this.#errors = errors;
  }

  get status(): number {
    return kinds[this.kind][0];
  }

  document(requestId: string): ProblemDocument {
    const [status, title] = kinds[this.kind];
    const more = this.#errors && { errors: this.#errors };
    return { type: `/problems/${this.kind}`, title, status, detail: this.message, requestId, ...more };
  }

  /** @param kserve its clients look for `error` */
  answer(requestId: string, kserve: boolean): ApiAnswer {
    const document = this.document(requestId);
    return {
      status: this.status,
      headers: { 'content-type': problemType, ...this.headers },
      bytes: Buffer.from(JSON.stringify(kserve ? { ...document, error: document.detail } : document)),
    };
  }
}
