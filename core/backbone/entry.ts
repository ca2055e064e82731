/** The JSON beside a network, or its entry in `models.json`: what it can say, and reading it. */
import * as z from 'zod';
import { PermanentError } from '../errors.ts';

const perChannel = z.tuple([z.number(), z.number(), z.number()]);
const count = z.int().min(0);
const side = z.int().min(1);
const sides = z.tuple([side, side]);

/** `value`, `value/255`, `value * 0.5`, `value (0..255) minus mean`, `value/255, then (x-mean)/std`. */
const scaleWords =
  /^value\s*(?:\(0\.\.255\)\s*)?(?:([/*])\s*(\d+(?:\.\d+)?)\s*)?(?:,?\s*(?:then\s+)?(?:\(x\s*-\s*mean\)(?:\s*\/\s*std)?|x\s*-\s*mean|minus mean))?$/;

function factorOf(words: string): number {
  const [, operator, number] = scaleWords.exec(words.trim())!;
  if (number === undefined) return 1;
  return operator === '/' ? 1 / Number(number) : Number(number);
}

/** A factor, or in words what happens to a value first. */
const scale = z.union([
  z
    .number()
    .positive()
    .transform(factor => ({ factor, words: '' })),
  z
    .string()
    .refine(words => scaleWords.test(words.trim()) && factorOf(words) > 0 && Number.isFinite(factorOf(words)), {
      message: 'expected a number, or words such as "value/255, then (x-mean)/std" or "value (0..255) minus mean"',
    })
    .transform(words => ({ factor: factorOf(words), words })),
]);

/** What can be said of a feature tensor. Numbers that the model itself tells are checked, the others believed. */
const features = z.object({
  channels: side.optional(),
  stride: z.number().positive().optional(),
  layout: z.enum(['NCHW', 'NHWC', 'NTC', 'NCT', 'TNC']).optional(),
  /** Tokens before those of the patches: class and registers. */
  prefix_tokens: count.optional(),
  /** Rows and columns of patches, at the one size that the model takes. */
  grid: sides.optional(),
});

/** Where the file holds the projection head and the prototypes that the network was trained with (method 1.2). */
const projection = z.object({
  /** Tensor of pooled features, N×C, that the head begins with. */
  input: z.string(),
  /** What the head makes of it, before it is brought to length one. */
  output: z.string(),
  /** Stored tensor, one row per prototype (or one column). */
  prototypes: z.string(),
});

const inner = features.extend({ tensor: z.string() });

/** What else an entry says is for people. */
const entrySchema = z.object({
  file: z.string().optional(),
  input: z
    .object({
      name: z.string(),
      type: z.string(),
      shape: z.array(z.union([z.string(), z.number()])),
      layout: z.enum(['NCHW', 'NHWC']),
      /** Height and width that every image is resized to inside the graph. */
      size: sides,
      channel_order: z.enum(['RGB', 'BGR']),
      scale,
      mean: perChannel,
      std: z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]),
    })
    .partial()
    .default({}),
  outputs: z.array(features.extend({ name: z.string() })).default([]),
  projection: projection.optional(),
  inner_features: z
    .union([inner.transform(one => [one]), z.array(inner)], 'expected {"tensor": NAME} or a list of them')
    .default([]),
});

export type Entry = z.output<typeof entrySchema>;
export type ProjectionClaims = z.output<typeof projection>;
export type FeatureClaims = z.output<typeof features>;

/** @throws PermanentError that says which key is wrong and what was expected */
export function parseEntry(json: unknown): Entry {
  const parsed = entrySchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = issue?.path.join('.') || 'the whole';
  throw new PermanentError(`the settings beside the model are wrong at ${place}: ${issue?.message}`);
}

/**
 * The entry for one model file in a list such as `models.json`; a file with settings for one model is that entry.
 * @returns undefined if the list has none for it
 */
export function settingsEntry(json: unknown, file: string): unknown {
  if (!Array.isArray(json)) return json;
  return json.find(entry => (entry as { file?: unknown } | null)?.file === file);
}
