/**
 * 8-bit tensors in other shapes, byte by byte: needed where channels are no multiple of sixteen, since what fills the
 * pixels up must go out and come in again.
 */
import { i32 } from '../wasm/assembler.ts';
import { packedChannels } from './int8-layout.ts';
import { input, output, type Recipe } from './kernel.ts';
import { at, cutRows, rowKernel } from './move-pieces.ts';

/** The same numbers in the same order: x [rows, from channels] → y [rows', to channels]. */
export function int8Reshape(size: number, channels: { readonly from: number; readonly to: number }): Recipe {
  const rows = size / channels.to;
  const [packedFrom, packedTo] = [packedChannels(channels.from), packedChannels(channels.to)];
  const about = {
    name: `int8 reshape ${size}`,
    shape: channels,
    buffers: 2,
    cut: cutRows(rows, channels.to * 4),
    bytes: 2 * size,
  };
  const kernel = rowKernel(about, (f, { from, to }) => {
    const [, , x, y] = f.params;
    const [row, column, index, target, pixel] = f.locals('i32', 5);
    f.for(row, from, to, 1, () => {
      f.set(target, at(y, row, packedTo));
      f.set(index, i32.mul(row, i32.const(channels.to)));
      f.for(column, 0, channels.to, 1, () => {
        f.set(pixel, at(x, i32.div_u(index, i32.const(channels.from)), packedFrom));
        const value = i32.load8_u(i32.add(pixel, i32.rem_u(index, i32.const(channels.from))));
        f.push(i32.store8(i32.add(target, column), value));
        f.inc(index, 1);
      });
      f.for(column, channels.to, packedTo, 1, () => f.push(i32.store8(i32.add(target, column), i32.const(0))));
    });
  });
  return { temps: [], steps: [{ kernel, args: [input(0), output(0)] }] };
}

/** a [rows, first] and b [rows, second] → [rows, first + second]. */
export function int8Concat(rows: number, first: number, second: number): Recipe {
  const packed = packedChannels(first + second);
  const about = {
    name: `int8 concat ${rows}x${first}+${second}`,
    shape: 0,
    buffers: 3,
    cut: cutRows(rows, packed * 2),
    bytes: 2 * rows * packed,
  };
  const kernel = rowKernel(about, (f, { from, to }) => {
    const [, , a, b, y] = f.params;
    const [row, column, source, target] = f.locals('i32', 4);
    f.for(row, from, to, 1, () => {
      f.set(target, at(y, row, packed));
      f.set(source, at(a, row, packedChannels(first)));
      const copy = (begin: number, end: number) => {
        f.for(column, begin, end, 1, () => {
          f.push(i32.store8(i32.add(target, column), i32.load8_u(i32.add(source, column))));
        });
      };
      copy(0, first);
      f.set(source, i32.sub(at(b, row, packedChannels(second)), i32.const(first)));
      copy(first, first + second);
      f.for(column, first + second, packed, 1, () => f.push(i32.store8(i32.add(target, column), i32.const(0))));
    });
  });
  return { temps: [], steps: [{ kernel, args: [input(0), input(1), output(0)] }] };
}
