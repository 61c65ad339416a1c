/**
 * The sums of a batch norm, taken of a convolution's result while that is in registers or in the first-level cache.
 * Each chunk of the result is summed around its own first pixel, which lies within a few deviations of the mean, so that
 * nothing cancels; the last step moves all of them to the first pixel of the result, and adds them up.
 */
import { call, f32, f32x4, i32, type ModuleBuilder, v128 } from '../wasm/assembler.ts';
import { multiplyAdd } from './gemm-tile.ts';
import { type Features, type Kernel, output, type Recipe, type Step, temp } from './kernel.ts';

/** Bytes from one row of a chunk's numbers to the next: shifts, sums, sums of squares, and how many pixels there were. */
export const momentRow = (channels: number): number => channels * 4;

/** Bytes of a chunk's numbers. */
export const chunkBytes = (channels: number): number => 4 * momentRow(channels);

/** A convolution that also gives Σ(y − y₀) and Σ(y − y₀)² of each channel, y₀ being the first pixel: outputs 1 and 2. */
export function withMoments({ temps, steps }: Recipe, name: string, chunks: number, channels: number): Recipe {
  const partials = temp(temps.length);
  const total: Step = {
    kernel: totalKernel(name, chunks, channels),
    args: [output(0), partials, output(1), output(2)],
  };
  return { temps: [...temps, chunks * chunkBytes(channels)], steps: [...steps, total] };
}

/** Channels of a piece: two vectors that the revectoriser joins. */
const GROUP = 8;

/** Adds up the chunks in order; buffers y, partials, sums, sums of squares. */
function totalKernel(name: string, chunks: number, channels: number): Kernel {
  const row = momentRow(channels);
  return {
    name: `moments ${name}`,
    key: `moments ${chunks} ${channels}`,
    buffers: 4,
    pieces: channels / GROUP,
    scratch: 0,
    flops: 7 * chunks * channels,
    bytes: chunks * chunkBytes(channels) + 3 * row,
    emit(m) {
      m.func('k', ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], [], (f) => {
        const [piece, , y, partials, sums, squares] = f.params;
        const end = f.local('i32');
        const [first, sum, square, apart, moved] = [0, 1, 2, 3, 4].map(() => f.locals('v128', 2));
        for (const pointer of [y, partials, sums, squares]) f.inc(pointer, i32.mul(piece, i32.const(GROUP * 4)));
        const halves = [0, 1];
        for (const h of halves) {
          f.set(first[h], v128.load(y, 16 * h));
          for (const total of [sum, square]) f.set(total[h], v128.const_f32x4(0));
        }
        f.set(end, i32.add(partials, i32.const(chunks * chunkBytes(channels))));
        f.for(partials, partials, end, chunkBytes(channels), () => {
          for (const h of halves) {
            const number = (index: number) => v128.load(partials, index * row + 16 * h);
            // With d = shift − y₀ and n pixels: Σ(y − y₀) = s + n·d, Σ(y − y₀)² = q + d·(2·s + n·d).
            f.set(apart[h], f32x4.sub(number(0), first[h]));
            f.set(moved[h], f32x4.mul(number(3), apart[h]));
            f.set(sum[h], f32x4.add(sum[h], f32x4.add(number(1), moved[h])));
            f.set(moved[h], f32x4.add(f32x4.add(number(1), number(1)), moved[h]));
            f.set(square[h], f32x4.add(square[h], f32x4.add(number(2), f32x4.mul(apart[h], moved[h]))));
          }
        });
        for (const [target, total] of [
          [sums, sum],
          [squares, square],
        ] as const) {
          for (const h of [1, 0]) f.push(v128.store(target, total[h], 16 * h));
        }
      });
    },
  };
}

/** Emits `start(chunk, y, floats)`: a chunk's numbers for `floats` channels, a multiple of 8, whose first pixel is at y. */
export function emitMomentStart(m: ModuleBuilder, channels: number): number {
  const row = momentRow(channels);
  return m.func(null, ['i32', 'i32', 'i32'], [], (f) => {
    const [chunk, y, floats] = f.params;
    const end = f.local('i32');
    const shift = f.locals('v128', 2);
    f.set(end, i32.add(y, i32.shl(floats, i32.const(2))));
    f.for(y, y, end, 32, () => {
      for (const h of [0, 1]) f.set(shift[h], v128.load(y, 16 * h));
      for (const h of [1, 0]) f.push(v128.store(chunk, shift[h], 16 * h));
      for (const number of [1, 2, 3]) {
        for (const h of [1, 0]) f.push(v128.store(chunk, v128.const_f32x4(0), number * row + 16 * h));
      }
      f.inc(chunk, 32);
    });
  });
}

/** Pixels that are summed side by side: an addition takes three cycles, and two can begin in each. */
const PHASES = 4;

/** Emits `add(chunk, y, pixels, floats)`: `pixels` neighbouring pixels of y, `floats` channels each, to a chunk's numbers. */
export function emitMomentRow(m: ModuleBuilder, channels: number, { relaxed }: Features): number {
  const row = momentRow(channels);
  const group = emitGroup(m, row, relaxed);
  return m.func(null, ['i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [chunk, y, pixels, floats] = f.params;
    const end = f.local('i32');
    f.set(end, i32.add(y, i32.shl(floats, i32.const(2))));
    f.for(y, y, end, 32, () => {
      f.push(call(group, chunk, y, pixels));
      f.inc(chunk, 32);
    });
  });
}

/** Emits `group(chunk, y, pixels)`: 8 channels of these. */
function emitGroup(m: ModuleBuilder, row: number, relaxed: boolean): number {
  return m.func(null, ['i32', 'i32', 'i32'], [], (f) => {
    const [chunk, y, pixels] = f.params;
    const left = f.local('i32');
    const pair = () => f.locals('v128', 2);
    const [shift, value, count] = [pair(), pair(), pair()];
    const sums = Array.from({ length: PHASES }, pair);
    const squares = Array.from({ length: PHASES }, pair);
    const halves = [0, 1];
    const steps = (phases: number) => {
      f.loop((next) => {
        for (let phase = 0; phase < phases; phase++) {
          for (const h of halves) {
            f.set(value[h], f32x4.sub(v128.load(y, phase * row + 16 * h), shift[h]));
            f.set(sums[phase][h], f32x4.add(sums[phase][h], value[h]));
            f.set(squares[phase][h], multiplyAdd(relaxed, value[h], value[h], squares[phase][h]));
          }
        }
        f.inc(y, phases * row);
        f.set(left, i32.sub(left, i32.const(1)));
        f.brIf(next, left);
      });
    };
    for (const h of halves) {
      f.set(shift[h], v128.load(chunk, 16 * h));
      f.set(sums[0][h], v128.load(chunk, row + 16 * h));
      f.set(squares[0][h], v128.load(chunk, 2 * row + 16 * h));
      for (let phase = 1; phase < PHASES; phase++) {
        for (const sum of [sums[phase], squares[phase]]) f.set(sum[h], v128.const_f32x4(0));
      }
      const more = f32x4.splat(f32.convert_i32_s(pixels));
      f.set(count[h], f32x4.add(v128.load(chunk, 3 * row + 16 * h), more));
    }
    f.set(left, i32.div_u(pixels, i32.const(PHASES)));
    f.if(left, () => steps(PHASES));
    f.set(left, i32.rem_u(pixels, i32.const(PHASES)));
    f.if(left, () => steps(1));
    const all = (phases: readonly (typeof shift)[], h: number) =>
      f32x4.add(f32x4.add(phases[0][h], phases[1][h]), f32x4.add(phases[2][h], phases[3][h]));
    for (const [number, total] of [sums, squares].entries()) {
      for (const h of [1, 0]) f.push(v128.store(chunk, all(total, h), (number + 1) * row + 16 * h));
    }
    for (const h of [1, 0]) f.push(v128.store(chunk, count[h], 3 * row + 16 * h));
  });
}
