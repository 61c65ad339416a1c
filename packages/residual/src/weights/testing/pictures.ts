/** Pictures that Python and TypeScript compute alike, for comparing networks with those of other frameworks. */

import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';

/** count × height × width × channels values from 0 to 1: (i · 2654435761 mod 2³²) / 2³² in row-major order. */
export function pictures(count: number, [height, width, channels]: readonly [number, number, number]): Float32Array {
  const values = new Float32Array(count * height * width * channels);
  for (let i = 0; i < values.length; i++) values[i] = (Math.imul(i, 2654435761 | 0) >>> 0) / 2 ** 32;
  return values;
}

/** What `model` gives for `count` of these pictures. */
export function outputsFor(model: LayersModel, count: number): number[][] {
  const shape = model.inputs[0]?.shape.slice(1) as [number, number, number];
  return tf.tidy(() => {
    const output = model.predict(tf.tensor(pictures(count, shape), [count, ...shape])) as tf.Tensor2D;
    return output.arraySync();
  });
}

/** The largest difference in units of the range of `expected`. */
export function relativeError(actual: readonly number[][], expected: readonly number[][]): number {
  const values = expected.flat();
  if (actual.flat().length !== values.length) return Number.POSITIVE_INFINITY;
  const range = Math.max(...values) - Math.min(...values);
  return Math.max(...actual.flat().map((value, i) => Math.abs(value - (values[i] as number)))) / range;
}
