/** Moves of few elements, word by word. All places are indices of four-byte words. */
import { type Shape, sizeOf } from '../graph/shape.ts';
import type { GatherShape } from '../kernels/move-gather.ts';
import type { Paddings } from '../kernels/move-pad.ts';

/** Elements of a strided tensor into dense memory, in order. */
export function copyStrided(words: Int32Array, shape: Shape, strides: Shape, from: number, to: number): void {
  const last = shape.length - 1;
  const columns = shape[last] ?? 1;
  const step = strides[last] ?? 0;
  const at = new Array<number>(Math.max(0, last)).fill(0);
  const end = to + sizeOf(shape);
  let row = from;
  for (let out = to; out < end; ) {
    for (let i = 0, p = row; i < columns; i++, p += step) words[out++] = words[p];
    for (let axis = last - 1; axis >= 0; axis--) {
      row += strides[axis];
      if (++at[axis] < shape[axis]) break;
      row -= at[axis] * strides[axis];
      at[axis] = 0;
    }
  }
}

/** Inputs [outer, inner[i]] side by side. */
export function concatRows(
  words: Int32Array,
  outer: number,
  inner: readonly number[],
  from: readonly number[],
  to: number,
): void {
  let out = to;
  for (let row = 0; row < outer; row++) {
    inner.forEach((length, i) => {
      const start = from[i] + row * length;
      words.copyWithin(out, start, start + length);
      out += length;
    });
  }
}

/** A dense tensor in the midst of `filling` (the bits of one word). */
export function padWith(
  words: Int32Array,
  shape: Shape,
  paddings: Paddings,
  filling: number,
  from: number,
  to: number,
): void {
  const outShape = shape.map((d, axis) => d + paddings[axis][0] + paddings[axis][1]);
  words.fill(filling, to, to + sizeOf(outShape));
  const last = shape.length - 1;
  const columns = shape[last] ?? 1;
  const rows = sizeOf(shape) / columns;
  for (let row = 0; row < rows; row++) {
    let out = paddings[last]?.[0] ?? 0;
    let stride = outShape[last] ?? 1;
    let rest = row;
    for (let axis = last - 1; axis >= 0; axis--) {
      out += ((rest % shape[axis]) + paddings[axis][0]) * stride;
      stride *= outShape[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    words.copyWithin(to + out, from + row * columns, from + (row + 1) * columns);
  }
}

/** Rows by index; indices beyond the ends read the nearest row. */
export function gatherRows(words: Int32Array, shape: GatherShape, from: number, list: number, to: number): void {
  const { batch, outer, axis, inner, indices } = shape;
  let out = to;
  for (let block = 0; block < batch * outer; block++) {
    const first = list + Math.floor(block / outer) * indices;
    for (let i = 0; i < indices; i++) {
      const index = Math.max(0, Math.min(words[first + i], axis - 1));
      const start = from + (block * axis + index) * inner;
      words.copyWithin(out, start, start + inner);
      out += inner;
    }
  }
}

/** The index of the first extreme along the axis of x [outer, axis, inner]; NaN beats nothing. */
export function argExtreme(
  elements: Float32Array | Int32Array,
  words: Int32Array,
  kind: 'max' | 'min',
  [outer, axis, inner]: readonly [number, number, number],
  from: number,
  to: number,
): void {
  for (let row = 0; row < outer; row++) {
    for (let column = 0; column < inner; column++) {
      const first = from + row * axis * inner + column;
      let best = elements[first];
      let index = 0;
      for (let i = 1; i < axis; i++) {
        const value = elements[first + i * inner];
        if (kind === 'max' ? value > best : value < best) {
          best = value;
          index = i;
        }
      }
      words[to + row * inner + column] = index;
    }
  }
}
