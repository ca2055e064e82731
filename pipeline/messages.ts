/** Messages on the queues: pointers only. Parsed once, at the door. */
import * as z from 'zod';
import { PermanentError } from '#core/errors';
import { sayIssues } from '#core/job/say-issues';
import { stages } from '#core/job/stage';

/** `slice`: of a piece that takes long, the first is 1 and says nothing. */
const work = z.strictObject({
  v: z.literal(1),
  job: z.string(),
  stage: z.enum(stages),
  piece: z.string(),
  slice: z.int().min(2).optional(),
});
/** `resume` asks for every missing piece again, for a queue that forgot them. */
const advance = z.strictObject({
  v: z.literal(1),
  job: z.string(),
  stage: z.literal('advance'),
  resume: z.boolean().optional(),
});
/** A batch of single images, which `fan-out` wrote down, for the task `live`. */
const live = z.strictObject({ v: z.literal(1), stage: z.literal('live'), model: z.string(), batch: z.string() });
const message = z.union([work, advance]);

export type WorkMessage = z.output<typeof work>;
export type AdvanceMessage = z.output<typeof advance>;
export type Message = WorkMessage | AdvanceMessage;

export type LiveMessage = z.output<typeof live>;

export const parseMessage = (body: string): Message => parseAs(message, body);
export const parseLiveMessage = (body: string): LiveMessage => parseAs(live, body);

function parseAs<T>(schema: z.ZodType<T>, body: string): T {
  const parsed = schema.safeParse(JSON.parse(body));
  if (!parsed.success) throw new PermanentError(`not a message of ours: ${sayIssues(parsed.error)}`);
  return parsed.data;
}
