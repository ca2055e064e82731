/** How scores become labels: the decision rule that travels in `card.json` (interface 4). */
import * as z from '../small-schema.ts';

const refine = z.strictObject({
  kind: z.literal('guided'),
  /** Window radius in pixels of an image whose longer side is 320; it scales with the image. */
  radius: z.number().check(z.positive()),
  /** Longer side at which the filter's coefficients are computed; above it they are upsampled (bilinear) and applied to the full guide. */
  workingSide: z.int().check(z.positive()),
  /** Regulariser for a guide scaled to 0…1. */
  epsilon: z.number().check(z.positive()),
});

export const decision = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('threshold'),
    threshold: z.number(),
    upsample: z.enum(['nearest', 'bilinear']),
    refine: z.nullable(refine),
  }),
  z.strictObject({ kind: z.literal('argmax') }),
]);

export type Decision = z.output<typeof decision>;
export type Refinement = z.output<typeof refine>;

/** The recipe's guided filter (quality 7). */
export const guidedRefinement: Refinement = { kind: 'guided', radius: 16, workingSide: 160, epsilon: 1e-3 };
