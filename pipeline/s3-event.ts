/** What S3 says when objects were made: which keys. At least once, in no order. */
import * as z from 'zod';
import { PermanentError } from '#core/errors';
import { sayIssues } from '#core/job/say-issues';

export interface CreatedObject {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
}

const event = z.object({
  Records: z.array(
    z.object({
      s3: z.object({
        object: z.object({ key: z.string(), size: z.number().default(0), eTag: z.string().default('') }),
      }),
    }),
  ),
});

/** Sent once when notifications are switched on. */
const test = z.object({ Event: z.literal('s3:TestEvent') });

/** Keys come as in a web form: `+` for a space, the rest in percent. @throws PermanentError if it is no event of S3 */
export function parseS3Event(document: unknown): CreatedObject[] {
  if (test.safeParse(document).success) return [];
  const parsed = event.safeParse(document);
  if (!parsed.success) throw new PermanentError(`not an event of S3: ${sayIssues(parsed.error)}`);
  return parsed.data.Records.map(({ s3: { object } }) => ({
    key: decodeURIComponent(object.key.replaceAll('+', ' ')),
    size: object.size,
    etag: object.eTag,
  }));
}
