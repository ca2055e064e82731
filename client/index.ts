/** `selflabel/client`: what programs import. */
export { ApiProblem } from './api-problem.ts';
export type * from './contract.ts';
export type { ImageInput, SegmentCall } from './image-body.ts';
export {
  type CallOptions,
  type ClientOptions,
  type JobOptions,
  type NamedImage,
  SegmentationClient,
  type ToolFormat,
} from './segmentation-client.ts';
