/** Arithmetic of shapes and strides, in elements. */

export type Shape = readonly number[];

export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const d of shape) size *= d;
  return size;
}

/** Row-major strides of a dense tensor. */
export function denseStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** True where the strides walk a dense tensor in order (axes of one element may have any stride). */
export function isDense(shape: Shape, strides: Shape): boolean {
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== stride) return false;
    stride *= shape[i];
  }
  return true;
}

/** Strides that read a strided tensor under another shape of equal size without moving it, or null where none do. */
export function reshapeStrides(shape: Shape, strides: Shape, to: Shape): number[] | null {
  const axes = shape.map((d, i) => ({ d, s: strides[i] })).filter(({ d }) => d !== 1);
  const result = new Array<number>(to.length).fill(0);
  let i = 0;
  let j = 0;
  while (i < axes.length) {
    const first = i;
    const firstTo = j;
    let have = axes[i++].d;
    let want = 1;
    while (j < to.length && to[j] === 1) j++;
    if (j === to.length) return null;
    want = to[j++];
    while (have !== want) {
      if (have < want) {
        if (i === axes.length) return null;
        have *= axes[i++].d;
      } else {
        if (j === to.length) return null;
        want *= to[j++];
      }
    }
    for (let k = first; k < i - 1; k++) if (axes[k].s !== axes[k + 1].d * axes[k + 1].s) return null;
    let stride = axes[i - 1].s;
    for (let k = j - 1; k >= firstTo; k--) {
      if (to[k] === 1) continue;
      result[k] = stride;
      stride *= to[k];
    }
  }
  return result;
}

/**
 * Merges neighbouring axes of an iteration space that every one of `inputs` (their strides) walks as one,
 * and drops axes of one element; `keepApart(a, b)` forbids merging axes a and b (of the original numbering).
 */
export function mergeAxes(
  shape: Shape,
  inputs: readonly Shape[],
  keepApart: (a: number, b: number) => boolean = () => false,
): { shape: number[]; inputs: number[][]; axes: number[] } {
  const outShape: number[] = [];
  const outInputs: number[][] = inputs.map(() => []);
  const axes: number[] = [];
  for (let axis = 0; axis < shape.length; axis++) {
    if (shape[axis] === 1) continue;
    const last = outShape.length - 1;
    const merges =
      last >= 0 &&
      !keepApart(axes[last], axis) &&
      inputs.every((strides, i) => outInputs[i][last] === strides[axis] * shape[axis]);
    if (merges) {
      outShape[last] *= shape[axis];
      inputs.forEach((strides, i) => {
        outInputs[i][last] = strides[axis];
      });
      axes[last] = axis;
    } else {
      outShape.push(shape[axis]);
      inputs.forEach((strides, i) => {
        outInputs[i].push(strides[axis]);
      });
      axes.push(axis);
    }
  }
  if (outShape.length === 0) {
    outShape.push(1);
    for (const strides of outInputs) strides.push(0);
    axes.push(0);
  }
  return { shape: outShape, inputs: outInputs, axes };
}
