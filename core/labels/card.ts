/** The model card: everything about a published model that is not in its graph (interface 4). */
import { PermanentError } from '../errors.ts';
import { sayIssues } from '../job/say-issues.ts';
import * as z from '../small-schema.ts';
import { decision } from './decision.ts';

const positive = z.int().check(z.minimum(1));

const card = z.looseObject({
  version: z.literal(1),
  name: z.string(),
  /** Hash of what the model is made of; the folder it is published in. */
  modelVersion: z.string(),
  created: z.string(),
  clusters: positive,
  decision,
  inputs: z.looseObject({
    /** How large the image is made before it enters the graph; the graph itself takes any size. */
    resize: z.strictObject({ shorterSide: positive, multiple: positive, longestSide: positive }),
    stride: z.number(),
  }),
  hashes: z.record(z.string(), z.string()),
  backbone: z.string(),
  method: z.string(),
  attention: z.looseObject({ kind: z.string() }),
  trainedOn: z.looseObject({ images: z.int() }),
  licence: z.string(),
});

export type Card = z.output<typeof card>;

/** @throws PermanentError if the document is no card of ours */
export function parseCard(document: unknown): Card {
  const parsed = card.safeParse(document);
  if (parsed.success) return parsed.data;
  throw new PermanentError(
    `not a usable model card (${sayIssues(parsed.error)}); take the model's folder as it was published`,
  );
}
