/**
 * Element by element over 8-bit tensors: to and from floats, sums and products of two of them, and any function of one
 * number as a table. Buffers end on whole vectors (the heap sees to it), so the last vector may reach beyond the tensor.
 */
import { type Expr, type Func, f32, f32x4, i8x16, i16x8, i32, i32x4, type Local, v128 } from '../wasm/assembler.ts';
import { FACTOR_PANEL, FIELDS, type Field, PANEL, packedChannels, type Rounding } from './int8-layout.ts';
import { rescale, splatField } from './int8-requantise.ts';
import { input, output, type Recipe } from './kernel.ts';
import { at, cutRows, rowKernel } from './move-pieces.ts';

const one = (kernel: Recipe['steps'][number]['kernel'], inputs: number): Recipe => ({
  temps: [],
  steps: [{ kernel, args: [...Array.from({ length: inputs }, (_, i) => input(i)), output(0)] }],
});

/** The largest float below one half: added to a number and cut off, it rounds halves away from 0, and nothing else up. */
const BELOW_HALF = v128.const_f32x4(0.49999997);
const SIGN = v128.const_i32x4(0x80000000 | 0);

/**
 * x [pixels, channels] f32 → y [pixels, packed] int8: q = round(x / scale) + zero, held within −128 … 127; halves away
 * from 0 (`twice`) or to even. NaN becomes the zero point. Inputs: x, parameters [scale as float32 bits, zero].
 */
export function int8Quantize(pixels: number, channels: number, rounding: Rounding): Recipe {
  const packed = packedChannels(channels);
  const about = {
    name: `int8 quantize ${pixels}x${channels}`,
    shape: rounding,
    buffers: 3,
    cut: cutRows(pixels, packed),
    bytes: pixels * (channels * 4 + packed),
  };
  const kernel = rowKernel(about, (f, { from, to }) => {
    const [, , x, parameters, y] = f.params;
    const [pixel, source, target] = f.locals('i32', 3);
    const [scale, zero, value, ...sums] = f.locals('v128', 3 + 4);
    f.set(scale, v128.load32_splat(parameters, 0));
    f.set(zero, v128.load32_splat(parameters, 4));
    f.set(source, at(x, from, channels * 4));
    f.set(target, at(y, from, packed));
    const rounded = (): Expr => {
      if (rounding === 'even') return f32x4.nearest(value);
      return f32x4.trunc(f32x4.add(value, v128.or(v128.and(value, SIGN), BELOW_HALF)));
    };
    f.for(pixel, from, to, 1, () => {
      for (let first = 0; first < packed; first += PANEL) {
        const vectors = sums.slice(0, packed < PANEL ? 1 : 4);
        vectors.forEach((sum, v) => {
          const channel = first + v * 4;
          f.set(value, loadFloats(f, source, channel, Math.min(4, channels - channel)));
          f.set(value, f32x4.div(value, scale));
          f.set(value, f32x4.pmin(f32x4.pmax(value, v128.const_f32x4(-65536)), v128.const_f32x4(65536)));
          f.set(sum, i32x4.add(i32x4.trunc_sat_f32x4_s(rounded()), zero));
        });
        f.push(storeBytes(packed, target, first, narrow(vectors)));
      }
      f.inc(source, channels * 4);
      f.inc(target, packed);
    });
  });
  return one(kernel, 2);
}

/** `count` floats (none: zeros) from channel `channel` on. */
function loadFloats(f: Func, from: Local, channel: number, count: number): Expr {
  if (count >= 4) return v128.load(from, channel * 4);
  if (count <= 0) return v128.const_f32x4(0);
  let value: Expr = v128.load32_zero(from, channel * 4);
  for (let i = 1; i < count; i++) value = f32x4.replace_lane(value, i, f32.load(from, (channel + i) * 4));
  const local = f.local('v128');
  f.set(local, value);
  return local;
}

const storeBytes = (packed: number, to: Expr, offset: number, value: Expr): Expr =>
  packed < PANEL ? v128.store32_lane(to, value, 0, offset) : v128.store(to, value, offset);

function narrow(sums: readonly Local[]): Expr {
  const [a, b = a, c = a, d = b] = sums;
  return i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
}

/** x [pixels, packed] int8 → y [pixels, channels] f32 = scale · (q − zero). Inputs: x, parameters as for quantizing. */
export function int8Dequantize(pixels: number, channels: number): Recipe {
  const packed = packedChannels(channels);
  const about = {
    name: `int8 dequantize ${pixels}x${channels}`,
    shape: 0,
    buffers: 3,
    cut: cutRows(pixels, packed),
    bytes: pixels * (channels * 4 + packed),
  };
  const kernel = rowKernel(about, (f, { from, to }) => {
    const [, , x, parameters, y] = f.params;
    const [pixel, source, target] = f.locals('i32', 3);
    const [scale, zero, bytes, value, half] = f.locals('v128', 5);
    f.set(scale, v128.load32_splat(parameters, 0));
    f.set(zero, v128.load32_splat(parameters, 4));
    f.set(source, at(x, from, packed));
    f.set(target, at(y, from, channels * 4));
    f.for(pixel, from, to, 1, () => {
      for (let channel = 0; channel < channels; channel += 4) {
        const v = (channel % PANEL) / 4;
        if (v === 0) f.set(bytes, packed < PANEL ? v128.load32_zero(source) : v128.load(source, channel));
        f.set(half, v < 2 ? i16x8.extend_low_i8x16_s(bytes) : i16x8.extend_high_i8x16_s(bytes));
        f.set(value, v % 2 === 0 ? i32x4.extend_low_i16x8_s(half) : i32x4.extend_high_i16x8_s(half));
        f.set(value, f32x4.mul(scale, f32x4.convert_i32x4_s(i32x4.sub(value, zero))));
        const count = Math.min(4, channels - channel);
        if (count === 4) f.push(v128.store(target, value, channel * 4));
        for (let i = 0; i < count && count < 4; i++) {
          f.push(f32.store(target, f32x4.extract_lane(value, i), (channel + i) * 4));
        }
      }
      f.inc(source, packed);
      f.inc(target, channels * 4);
    });
  });
  return one(kernel, 2);
}

/** The four vectors of 32-bit numbers in sixteen bytes. */
function widened(f: Func, bytes: Expr): Local[] {
  const [held, half] = f.locals('v128', 2);
  f.set(held, bytes);
  return [i16x8.extend_low_i8x16_s, i16x8.extend_high_i8x16_s].flatMap((extend) => {
    f.set(half, extend(held));
    return [i32x4.extend_low_i16x8_s, i32x4.extend_high_i16x8_s].map((wide) => {
      const local = f.local('v128');
      f.set(local, wide(half));
      return local;
    });
  });
}

/** Adds the zero point of the factors and holds the numbers between their bounds. */
function finished(f: Func, sums: readonly Local[], field: (name: Field) => Expr): Expr {
  for (const sum of sums) {
    f.set(sum, i32x4.max_s(i32x4.min_s(i32x4.add(sum, field('zero')), field('max')), field('min')));
  }
  return narrow(sums);
}

/**
 * The sum of two tensors of `bytes` bytes. Inputs: a, b, factors: three panels, of which one value a field is read, for
 * a, b and the sum; bias −zero for a and b.
 *
 * `twice`, as TensorFlow Lite's ADD: both on a common scale with 20 bits more (left 2²⁰), added, then on the output's.
 * `even`, as ONNX defines an Add between QuantizeLinear and DequantizeLinear, operation by operation in single
 *   precision: q = (a' · m + b' · n) / s, halves to even, where m, n and s are the scales, as float32 bits in `multiplier`.
 */
export function int8Add(bytes: number, rounding: Exclude<Rounding, 'once'>): Recipe {
  const vectors = Math.ceil(bytes / 16);
  const cut = cutRows(vectors, 64);
  const about = { name: `int8 add ${bytes}`, shape: rounding, buffers: 4, cut, bytes: 3 * bytes };
  const kernel = rowKernel(about, (f, { from, to }) => {
    const [, , a, b, factors, y] = f.params;
    const [i, place] = f.locals('i32', 2);
    const fields = [0, 1, 2].map((panel) => heldFields(f, i32.add(factors, i32.const(panel * FACTOR_PANEL))));
    f.for(i, from, to, 1, () => {
      f.set(place, i32.mul(i, i32.const(16)));
      const sums = widened(f, v128.load(i32.add(a, place)));
      const others = widened(f, v128.load(i32.add(b, place)));
      sums.forEach((sum, v) => {
        if (rounding === 'even') {
          const total = f32x4.add(scaled(sum, fields[0]), scaled(others[v], fields[1]));
          f.set(sum, i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.div(total, fields[2]('multiplier')))));
          return;
        }
        rescale(f, sum, fields[0], 'twice');
        rescale(f, others[v], fields[1], 'twice');
        f.set(sum, i32x4.add(sum, others[v]));
        rescale(f, sum, fields[2], 'twice');
      });
      f.push(v128.store(i32.add(y, place), finished(f, sums, fields[2])));
    });
  });
  return one(kernel, 3);
}

/** The real numbers that four integers stand for. */
const scaled = (q: Expr, field: (name: Field) => Expr): Expr =>
  f32x4.mul(f32x4.convert_i32x4_s(i32x4.add(q, field('bias'))), field('multiplier'));

/** Fields whose value is one for all channels, read into locals once. */
function heldFields(f: Func, factors: Expr): (name: Field) => Expr {
  const base = f.local('i32');
  f.set(base, factors);
  const held = new Map(
    FIELDS.map((name) => {
      const local = f.local('v128');
      f.set(local, splatField(base, name));
      return [name, local] as const;
    }),
  );
  return (name) => held.get(name) as Local;
}

/**
 * The product of a [images, pixels, packed] and b, of the same shape or [images, 1, packed]. Inputs: a, b, factors: two
 * panels, the first with the output's rescaling and a's zero point, the second with b's.
 */
export function int8Mul(
  [images, pixels, packed]: readonly [number, number, number],
  broadcast: boolean,
  rounding: Exclude<Rounding, 'once'>,
): Recipe {
  const rows = images * pixels;
  const about = {
    name: `int8 mul ${images}x${pixels}x${packed}`,
    shape: [broadcast, rounding],
    buffers: 4,
    cut: cutRows(rows, packed * 3),
    bytes: 3 * rows * packed,
  };
  const kernel = rowKernel(about, (f, { from, to }) => {
    const [, , a, b, factors, y] = f.params;
    const [row, channel, left, right, target] = f.locals('i32', 5);
    const fields = heldFields(f, factors);
    const second = heldFields(f, i32.add(factors, i32.const(FACTOR_PANEL)));
    const load = (address: Expr) => (packed < PANEL ? v128.load32_zero(address) : v128.load(address));
    f.for(row, from, to, 1, () => {
      f.set(left, at(a, row, packed));
      f.set(right, at(b, broadcast ? i32.div_u(row, i32.const(pixels)) : row, packed));
      f.set(target, at(y, row, packed));
      f.for(channel, 0, packed, PANEL, () => {
        const sums = widened(f, load(i32.add(left, channel)));
        const others = widened(f, load(i32.add(right, channel)));
        sums.forEach((sum, v) => {
          const product = i32x4.mul(i32x4.sub(sum, fields('inputZero')), i32x4.sub(others[v], second('inputZero')));
          f.set(sum, product);
          rescale(f, sum, fields, rounding);
        });
        f.push(storeBytes(packed, i32.add(target, channel), 0, finished(f, sums, fields)));
      });
    });
  });
  return one(kernel, 3);
}

/** y = table[q + 128] for each of `bytes` int8. Inputs: x, table [64] int32 that hold 256 int8. */
export function int8Lookup(bytes: number): Recipe {
  const about = { name: `int8 lookup ${bytes}`, shape: 0, buffers: 3, cut: cutRows(bytes, 4), bytes: 2 * bytes };
  const kernel = rowKernel(about, (f, { from, to }) => {
    const [, , x, table, y] = f.params;
    const i = f.local('i32');
    f.for(i, from, to, 1, () => {
      const q = i32.load8_s(i32.add(x, i));
      f.push(i32.store8(i32.add(y, i), i32.load8_u(i32.add(table, q), 128)));
    });
  });
  return one(kernel, 2);
}
