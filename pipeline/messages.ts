/** Messages on the queues: pointers only. Parsed once, at the door. */
import { z } from 'zod';
import { PermanentError } from '#core/errors';
import { sayIssues } from '#core/job/request';
import { stages } from '#core/job/stage';

const work = z.strictObject({ v: z.literal(1), job: z.string(), stage: z.enum(stages), piece: z.string() });
/** `resume` asks for every missing piece again, for a queue that forgot them. */
const advance = z.strictObject({
  v: z.literal(1),
  job: z.string(),
  stage: z.literal('advance'),
  resume: z.boolean().optional(),
});
const message = z.union([work, advance]);

export type WorkMessage = z.output<typeof work>;
export type AdvanceMessage = z.output<typeof advance>;
export type Message = WorkMessage | AdvanceMessage;

export function parseMessage(body: string): Message {
  const parsed = message.safeParse(JSON.parse(body));
  if (!parsed.success) throw new PermanentError(`not a message of ours: ${sayIssues(parsed.error)}`);
  return parsed.data;
}
