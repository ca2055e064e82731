/** A batch of views as a training step takes it: bytes of pixels, and class ids where there are any. */
import { cast, transpose } from '../graph/ops.ts';
import { type InputTensor, input, type Tensor } from '../graph/tensor.ts';

export interface ViewInput {
  /** `pixels`, uint8 [views, side, side, 3]. */
  readonly pixels: InputTensor;
  /** float32 [views, 3, side, side], RGB 0 … 255. */
  readonly image: Tensor;
}

export function viewInput(views: number, side: number): ViewInput {
  const pixels = input('pixels', 'uint8', [views, side, side, 3]);
  return { pixels, image: cast(transpose(pixels, { perm: [0, 3, 1, 2] }), { to: 'float32' }) };
}

export interface TargetInput {
  /** `targets`, int32 [views, side, side]. */
  readonly ids: InputTensor;
  /** The same as int64, for the losses. */
  readonly targets: Tensor;
}

export function targetInput(views: number, side: number): TargetInput {
  const ids = input('targets', 'int32', [views, side, side]);
  return { ids, targets: cast(ids, { to: 'int64' }) };
}
