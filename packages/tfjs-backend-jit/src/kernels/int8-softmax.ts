/**
 * Softmax of 8-bit rows in fixed point, as TensorFlow Lite's reference kernel computes it: no float, so every machine
 * gives the same. eˣ of the 256 possible distances from the row's largest number comes as a table.
 */
import { type Expr, type Func, i32, type Local } from '../wasm/assembler.ts';
import { packedChannels } from './int8-layout.ts';
import { highProduct } from './int8-requantise.ts';
import { input, output, type Recipe } from './kernel.ts';
import { at, cutRows, rowKernel } from './move-pieces.ts';

/** Bits before the point of the sum of exponentials: 2¹² of them fit. */
const SUM_BITS = 12;

/**
 * x [rows, channels] → y, at scale 1/256 and zero point −128. Inputs: x, table [256] int32: e^(−d · scale of x) with 31
 * bits behind the point for each distance d, 0 where it is too far to count. At most 4,096 channels.
 */
export function int8Softmax(rows: number, channels: number): Recipe {
  const packed = packedChannels(channels);
  const about = {
    name: `int8 softmax ${rows}x${channels}`,
    shape: 0,
    buffers: 3,
    cut: cutRows(rows, channels * 16),
    bytes: 2 * rows * packed,
  };
  const kernel = rowKernel(about, (f, { from, to }) => {
    const [, , x, table, y] = f.params;
    const [row, c, source, target, most, sum, scale, exponent, value, t] = f.locals('i32', 10);
    const number = () => i32.load8_s(i32.add(source, c));
    const exponential = () => i32.load(at(table, i32.sub(most, number()), 4));
    f.for(row, from, to, 1, () => {
      f.set(source, at(x, row, packed));
      f.set(target, at(y, row, packed));
      f.set(most, i32.const(-128));
      f.for(c, 0, channels, 1, () => {
        f.if(i32.gt_s(number(), most), () => f.set(most, number()));
      });
      f.set(sum, i32.const(0));
      f.for(c, 0, channels, 1, () => {
        f.set(value, exponential());
        f.inc(sum, divideByPowerOf2(value, i32.const(SUM_BITS)));
      });
      // sum = 2^(exponent) · (1 + t), 0 ≤ t < 1, with 31 bits of t behind the point.
      f.set(exponent, i32.clz(sum));
      f.set(t, i32.xor(i32.shl(sum, exponent), i32.const(0x80000000 | 0)));
      reciprocal(f, t, scale);
      // To 8 bits behind the point, and 1 / 2^exponent.
      f.set(exponent, i32.sub(i32.const(SUM_BITS + 31 - 8), exponent));
      f.for(c, 0, channels, 1, () => {
        f.set(value, highProduct(scale, exponential()));
        f.set(value, i32.sub(divideByPowerOf2(value, exponent), i32.const(128)));
        f.if(i32.gt_s(value, i32.const(127)), () => f.set(value, i32.const(127)));
        f.push(i32.store8(i32.add(target, c), value));
      });
      f.for(c, channels, packed, 1, () => f.push(i32.store8(i32.add(target, c), i32.const(0))));
    });
  });
  return { temps: [], steps: [{ kernel, args: [input(0), input(1), output(0)] }] };
}

/** value / 2^bits of what is not negative, halves up; bits ≥ 1. */
function divideByPowerOf2(value: Local, bits: Expr): Expr {
  const half = i32.and(i32.shr_u(value, i32.sub(bits, i32.const(1))), i32.const(1));
  return i32.add(i32.shr_u(value, bits), half);
}

/**
 * 1 / (1 + t) by Newton's steps from 48/17 − 32/17 · d, with d = (1 + t) / 2 halved upwards; two bits before the point
 * on the way, none in the result.
 */
function reciprocal(f: Func, t: Local, result: Local): void {
  const [half, x, left] = f.locals('i32', 3);
  // (t + (2³¹ − 1) + 1) / 2 with 31 bits behind the point, in 32 unsigned bits.
  f.set(half, i32.shr_u(i32.add(t, i32.const(0x80000000 | 0)), i32.const(1)));
  f.set(x, i32.add(i32.const(1515870810), highProduct(half, i32.const(-1010580540))));
  for (let step = 0; step < 3; step++) {
    f.set(left, i32.sub(i32.const(2 ** 29), highProduct(half, x)));
    f.set(x, i32.add(x, i32.shl(highProduct(x, left), i32.const(2))));
  }
  saturatingDouble(f, x, result);
}

/** 2 · x held within 32 bits. */
function saturatingDouble(f: Func, x: Local, result: Local): void {
  f.set(result, i32.shl(x, i32.const(1)));
  f.if(i32.ge_s(x, i32.const(2 ** 30)), () => f.set(result, i32.const(2 ** 31 - 1)));
}
