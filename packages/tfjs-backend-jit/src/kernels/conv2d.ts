/**
 * Which kernels compute a convolution: a rule of the shape alone, so the same program always gives the same bits.
 * `JIT_CONV=direct|winograd|auto` (default auto) overrides it for measurements.
 */
import { env } from '../wasm/features.ts';
import type { Conv2DShape } from './conv-shape.ts';
import { conv2dBackpropFilterDirect, conv2dBackpropInputDirect, conv2dDirect } from './conv2d-direct.ts';
import type { Features, Recipe, Setting } from './kernel.ts';
import { winogradApplies, winogradBackpropFilter, winogradBackpropInput, winogradForward } from './winograd.ts';

const METHODS = ['direct', 'winograd', 'auto'] as const;

const method = METHODS.find((m) => m === (env('JIT_CONV') ?? 'auto'));
if (method === undefined) throw new Error(`JIT_CONV must be one of ${METHODS.join(', ')}, and is "${env('JIT_CONV')}"`);

/** Winograd wins on every 3×3 stride-1 layer of ResNet18 (measured: 1.5 to 3 times the direct rate). */
const byWinograd = (shape: Conv2DShape) => method !== 'direct' && winogradApplies(shape);

/** TF's Conv2D: x, filter → y. */
export function conv2d(shape: Conv2DShape, features: Features, setting: Setting = {}): Recipe {
  const { steady, epilogue, moments = false } = setting;
  const how = { steady: steady?.[1] ?? false, epilogue, moments };
  return byWinograd(shape) ? winogradForward(shape, features, how) : conv2dDirect(shape, features, how);
}

/** Whether `conv2d` can apply an epilogue, or take moments: it works on 8 channels at a time. */
export const takesEpilogue = (shape: Conv2DShape): boolean => shape.outChannels % 16 === 0;

/** TF's Conv2DBackpropInput: dy, filter → dx. */
export function conv2dBackpropInput(shape: Conv2DShape, features: Features): Recipe {
  return byWinograd(shape) ? winogradBackpropInput(shape, features) : conv2dBackpropInputDirect(shape, features);
}

/** TF's Conv2DBackpropFilter: x, dy → filter's gradient. */
export function conv2dBackpropFilter(shape: Conv2DShape, features: Features): Recipe {
  return byWinograd(shape) ? winogradBackpropFilter(shape, features) : conv2dBackpropFilterDirect(shape, features);
}
