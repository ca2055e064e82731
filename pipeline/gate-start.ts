/** Where a gate begins whose backbone knows nothing of it: at the untrained foreground score, as far as its features can say it. */
import { type Gate, type Reduction, reduced, startGateAlong } from '#core/attention/gate';
import type { BackboneMaps } from '#core/attention/pixel-attention';
import { trainRidgeHead } from '#core/attention/ridge-head';
import type { Backbone } from '#core/attention/segmentation-model';
import { l2Normalize, resizeLike } from '#core/graph/layers';
import type { PlannedImage } from '#core/job/plan';
import type { SettledRun } from '#core/job/request';
import { Random, seedOf } from '#core/random';
import { sizeRule } from './backbone.ts';
import type { Ports } from './ports.ts';
import { joined, samplePass } from './sample.ts';

export interface GateStart {
  readonly ports: Ports;
  readonly run: SettledRun;
  readonly backbone: Backbone;
  /** Those that are looked at. */
  readonly images: readonly PlannedImage[];
}

/**
 * One round of the foreground head on the features that the gate sees: the direction from positions low in border distance
 * and Fiedler vector to those high in them (quality 7).
 * @param channels of the gate
 */
export async function seededGate(start: GateStart, channels: number, reduction?: Reduction): Promise<Gate> {
  const { ports, run, backbone, images } = start;
  // On the grid of the seeds.
  const project = ({ deep, fine }: BackboneMaps) => {
    const map = reduced(deep!, reduction);
    return l2Normalize(fine ? resizeLike(map, fine) : map, 1);
  };
  const pass = { features: false, seeds: true, project };
  const { sampled } = await samplePass(ports, run.images, images, backbone, sizeRule(run, backbone.settings), pass);
  const features = joined(
    sampled.map(one => one.projected!),
    Float32Array,
  );
  const seeds = joined(
    sampled.map(one => one.seed!.combined),
    Float64Array,
  );
  const { weights } = trainRidgeHead(features, channels, seeds, { rounds: 1 });
  return startGateAlong(
    channels,
    new Random(seedOf('gate', run.seed)),
    Float32Array.from(weights.subarray(0, channels)),
  );
}
