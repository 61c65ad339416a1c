/** Which kernels compute a convolution: a rule of the shape alone, so the same program always gives the same bits. */
import {
  conv2dBackpropFilterDirect,
  conv2dBackpropInputDirect,
  conv2dDirect,
} from './conv2d-direct.ts';
import type { Conv2DShape } from './conv-shape.ts';
import type { Features, Recipe } from './kernel.ts';

/** TF's Conv2D: x, filter → y. */
export function conv2d(shape: Conv2DShape, features: Features): Recipe {
  return conv2dDirect(shape, features);
}

/** TF's Conv2DBackpropInput: dy, filter → dx. */
export function conv2dBackpropInput(shape: Conv2DShape, features: Features): Recipe {
  return conv2dBackpropInputDirect(shape, features);
}

/** TF's Conv2DBackpropFilter: x, dy → filter's gradient. */
export function conv2dBackpropFilter(shape: Conv2DShape, features: Features): Recipe {
  return conv2dBackpropFilterDirect(shape, features);
}
