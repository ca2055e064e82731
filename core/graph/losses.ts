/** Losses as expressions: one float32 number each, a mean over examples or pixels. */
import { l2Normalize } from './layers.ts';
import { withoutGradient } from './no-gradient.ts';
import {
  cast,
  div,
  equal,
  exp,
  gatherElements,
  log,
  logSoftmax,
  max,
  mul,
  neg,
  not,
  reduceMax,
  reduceMean,
  reduceSum,
  squeeze,
  sub,
  transpose,
  unsqueeze,
} from './ops.ts';
import { constant, integers, type NodeTensor, type Tensor } from './tensor.ts';

/**
 * Mean softmax cross-entropy.
 * @param logits [N,K,…]
 * @param targets int64 [N,…], the class of each place, 0 … K − 1
 * @param ignore a class that does not count; with none left the loss is 0
 */
export function crossEntropy(logits: Tensor, targets: Tensor, { ignore }: { ignore?: number } = {}): NodeTensor {
  const counted = ignore === undefined ? undefined : not(equal(targets, integers([ignore], [])));
  // What does not count may be no class at all.
  const known = counted ? mul(targets, cast(counted, { to: 'int64' })) : targets;
  // The logarithm of softmax written out, so that the way back reads the exponentials that are there.
  const shifted = sub(logits, withoutGradient(reduceMax(logits, { axes: [1] })));
  const total = reduceSum(exp(shifted), { axes: [1], keepdims: 0 });
  const chosen = squeeze(gatherElements(shifted, unsqueeze(known, { axes: [1] }), { axis: 1 }), { axes: [1] });
  // The runtime computes what stands second first: by then it is read, and the exponentials can take its place.
  const surprise = sub(log(total), chosen);
  if (!counted) return reduceMean(surprise, { keepdims: 0 });
  const weights = cast(counted, { to: 'float32' });
  const number = max(reduceSum(weights, { keepdims: 0 }), constant(1));
  return div(reduceSum(mul(surprise, weights), { keepdims: 0 }), number);
}

/** Mean over rows of −Σ q log softmax(scores / temperature), for scores and probabilities q [N,P]. */
export function softCrossEntropy(scores: Tensor, q: Tensor, { temperature = 1 } = {}): NodeTensor {
  const likelihood = logSoftmax(div(scores, constant(temperature)), { axis: 1 });
  return neg(reduceMean(reduceSum(mul(q, likelihood), { axes: [1], keepdims: 0 }), { keepdims: 0 }));
}

/** Mean over all vectors along an axis of 1 − cosine of the angle between two tensors of one shape. */
export function cosineDistance(a: Tensor, b: Tensor, axis: number): NodeTensor {
  const cosines = reduceSum(mul(l2Normalize(a, axis), l2Normalize(b, axis)), { axes: [axis], keepdims: 0 });
  return reduceMean(sub(constant(1), cosines), { keepdims: 0 });
}

/**
 * Assignments of n rows to P prototypes that use all prototypes alike, by Sinkhorn and Knopp's alternating division
 * (https://arxiv.org/abs/2006.09882, section 3.1), unrolled.
 * @param scores [n,P], cosines: exp(score / epsilon) must be finite in float32
 * @returns [n,P], rows of sum 1
 */
export function sinkhorn(scores: Tensor, { epsilon = 0.05, iterations = 3 } = {}): Tensor {
  const [rows, prototypes] = scores.dims;
  if (typeof rows !== 'number' || typeof prototypes !== 'number')
    throw new Error('sinkhorn: the numbers of rows and prototypes must be known');
  const raw = transpose(exp(div(scores, constant(epsilon))), { perm: [1, 0] });
  let q: Tensor = div(raw, reduceSum(raw));
  for (let i = 0; i < iterations; i++) {
    q = div(div(q, reduceSum(q, { axes: [1] })), constant(prototypes));
    q = div(div(q, reduceSum(q, { axes: [0] })), constant(rows));
  }
  return transpose(mul(q, constant(rows)), { perm: [1, 0] });
}
