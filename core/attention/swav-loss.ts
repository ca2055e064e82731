/** Swapped assignment between two views of each image (method 1.3), with a queue of earlier embeddings. */
import { sinkhorn, softCrossEntropy } from '../graph/losses.ts';
import {
  add,
  concat,
  greater,
  matmul,
  mul,
  reduceL2,
  slice,
  squeeze,
  transpose,
  unsqueeze,
  where,
} from '../graph/ops.ts';
import { constant, type Tensor } from '../graph/tensor.ts';

/** Scores are divided by it before the softmax. */
const temperature = 0.1;

export interface SwavLoss {
  /** One number. */
  readonly loss: Tensor;
  /** Of each view, [b, P]. They are targets: no gradient passes them. */
  readonly assignments: readonly [Tensor, Tensor];
  /** The queue after this batch, where there is one. */
  readonly queue?: Tensor;
}

/** Rows `from` to `to` of the first axis. */
const rows = (x: Tensor, from: number, to: number) => slice(x, { starts: [from], ends: [to], axes: [0] });

/**
 * Half the sum, over both views, of the cross-entropy between one view's assignment and the other's scores.
 * @param embeddings [2b, D], unit rows; the first b are of the first view
 * @param prototypes [P, D], unit rows
 * @param queue [2, L, D], newest first, zeros at first: it counts once its last row is filled
 */
export function swavLoss(embeddings: Tensor, prototypes: Tensor, queue?: Tensor): SwavLoss {
  const batch = (embeddings.dims[0] as number) / 2;
  const columns = transpose(prototypes, { perm: [1, 0] });
  const views = [0, 1].map(view => rows(embeddings, view * batch, (view + 1) * batch));
  const scores = views.map(view => matmul(view, columns));
  const queues = queue ? [0, 1].map(view => squeeze(rows(queue, view, view + 1), { axes: [0] })) : [];
  const [q0, q1] = scores.map((own, view) => assignment(own, columns, queues[view])) as [Tensor, Tensor];
  const towards = (view: number, q: Tensor) => softCrossEntropy(scores[view]!, q, { temperature });
  const loss = mul(constant(0.5), add(towards(1, q0), towards(0, q1)));
  const pushed = queues.map((old, view) => unsqueeze(push(old, views[view]!), { axes: [0] }));
  return { loss, assignments: [q0, q1], ...(queue && { queue: concat(pushed, { axis: 0 }) }) };
}

/** Of the last rows of Sinkhorn's answer, with the queue in front as soon as it is full. */
function assignment(own: Tensor, columns: Tensor, queue: Tensor | undefined): Tensor {
  const alone = sinkhorn(own);
  if (!queue) return alone;
  const [length, batch] = [queue.dims[0] as number, own.dims[0] as number];
  const together = rows(sinkhorn(concat([matmul(queue, columns), own], { axis: 0 })), length, length + batch);
  // Embeddings have length one, rows that were never written zero.
  const full = greater(reduceL2(rows(queue, length - 1, length)), constant(0.5));
  return where(full, together, alone);
}

const push = (queue: Tensor, newest: Tensor): Tensor => {
  const [length, batch] = [queue.dims[0] as number, newest.dims[0] as number];
  return length === batch ? newest : concat([newest, rows(queue, 0, length - batch)], { axis: 0 });
};

/** Rows that a queue holds at most (method 0). */
const longestQueue = 3840;

/**
 * Length of the queue: a multiple of the batch. A network trained this way brings prototypes that expect the full one;
 * else at most half of the images may be in it, so that it does not hold the batch's own.
 */
export function queueLength(images: number, batch: number, given: boolean): number {
  const most = given ? longestQueue : Math.min(longestQueue, images / 2);
  return Math.floor(most / batch) * batch;
}
