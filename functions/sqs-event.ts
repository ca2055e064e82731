/** What Lambda hands over from a queue, and what it wants back. */

export interface SqsEvent {
  readonly Records: readonly { readonly messageId: string; readonly body: string }[];
}

export interface LambdaContext {
  readonly awsRequestId: string;
}

/** These messages come again; the others are deleted. */
export interface SqsBatchResponse {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
}
