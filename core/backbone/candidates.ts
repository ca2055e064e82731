/** The dense tensors of a network that are worth naming: its outputs and the ends of its stages. */
import type { DenseTensor } from '../graph/dense-tensors.ts';

/** More would be a list of blocks that look alike. */
const mostCandidates = 12;

const sameGroup = (a: DenseTensor, b: DenseTensor) => a.stride === b.stride && a.channels === b.channels;

/**
 * In the order of depth: what the file declares, where everything passes through, and the last tensor of each stride and
 * number of channels; where that is too much, the deepest.
 * @param chosen always among them
 */
export function candidates(dense: readonly DenseTensor[], chosen: readonly DenseTensor[]): DenseTensor[] {
  const names = new Set(chosen.map(({ name }) => name));
  const must = dense.filter(({ name, declared }) => declared || names.has(name));
  const ends = dense.filter(
    (one, i) => one.bottleneck && !dense.slice(i + 1).some(later => later.bottleneck && sameGroup(one, later)),
  );
  const stages = dense.filter((one, i) => one.bottleneck && !ends.includes(one) && i > 0).slice(-mostCandidates);
  const kept = new Set(must);
  for (const one of [...ends.reverse(), ...stages.reverse()]) if (kept.size < mostCandidates) kept.add(one);
  return dense.filter(one => kept.has(one));
}
