/** Constants with their axes in another order: every format has its own. */

import type { Constant } from './graph.ts';

/** A transposition: axis i of the result is axis `order[i]` of the constant. */
export function moved({ shape, values }: Constant, order: readonly number[]): Constant {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const to = order.map((axis) => shape[axis] ?? 0);
  const steps = order.map((axis) => strides[axis] ?? 0);
  const out = new Float32Array(values.length);
  const place = to.map(() => 0);
  let from = 0;
  for (let i = 0; i < out.length; i++) {
    out[i] = values[from];
    for (let axis = to.length - 1; axis >= 0; axis--) {
      from += steps[axis];
      if (++place[axis] < to[axis]) break;
      from -= steps[axis] * to[axis];
      place[axis] = 0;
    }
  }
  return { shape: to, values: out };
}
