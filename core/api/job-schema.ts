/** The request of a job as JSON Schema, made from what the planner reads it by. In a bundle the result takes the place of this file. */
import * as z from 'zod';
import { predictRequest, runRequest } from '../job/request.ts';

/** As clients write it. */
function ofZod(schema: z.ZodType): Readonly<Record<string, unknown>> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

export const jobRequest = {
  oneOf: [
    { ...ofZod(runRequest.extend({ kind: z.literal('run').optional() })), title: 'Run' },
    { ...ofZod(predictRequest.extend({ kind: z.literal('predict') })), title: 'Predict' },
  ],
  description: 'The options of `selflabel run` in camelCase, or a published model applied to other images.',
};
