/** Resizing NHWC images, forward and backward: the operations that the backend records. */
export { resizeBilinear, resizeNearestNeighbor } from './resize-forward.ts';
export { resizeBilinearGrad, resizeNearestNeighborGrad } from './resize-grad.ts';
export type { ResizeShape } from './resize-shape.ts';
