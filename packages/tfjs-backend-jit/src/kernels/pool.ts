/** Pooling over NHWC images, forward and backward: the operations that the backend records. */
export { avgPool, maxPool } from './pool-forward.ts';
export { avgPoolGrad, maxPoolGrad } from './pool-grad.ts';
