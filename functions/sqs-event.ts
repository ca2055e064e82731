/** What Lambda hands over from a queue, and what it wants back. */

export interface SqsEvent {
  readonly Records: readonly {
    readonly messageId: string;
    readonly body: string;
    readonly attributes?: { readonly ApproximateReceiveCount?: string };
  }[];
}

export interface LambdaContext {
  readonly awsRequestId: string;
  /** Milliseconds left before the invocation is ended. */
  readonly getRemainingTimeInMillis: () => number;
}

/** These messages come again; the others are deleted. */
export interface SqsBatchResponse {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
}

export const failedItems = (ids: readonly string[]): SqsBatchResponse => ({
  batchItemFailures: [...new Set(ids)].map(itemIdentifier => ({ itemIdentifier })),
});
