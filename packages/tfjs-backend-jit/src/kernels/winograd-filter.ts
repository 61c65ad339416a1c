/**
 * The filter's side of Winograd's convolution: HWIO filter → U = G g Gᵀ, also of the rotated and transposed filter
 * that an input gradient needs, and dU → the filter's gradient Gᵀ dU G.
 */
import { call, type Expr, type Func, i32, type Local, type ModuleBuilder, v128 } from '../wasm/assembler.ts';
import type { Features, Kernel } from './kernel.ts';
import { type Convolution, type Grid, PANEL, planeBytes } from './winograd-grid.ts';
import { apply, applyTransposed, groupBytes, LaneEmitter, transform2d } from './winograd-lanes.ts';
import { matrices } from './winograd-matrix.ts';

/** Bytes of U: planes of panels [outChannels/16][inChannels][16]. */
export const filterBytes = (c: Convolution, grid: Grid): number =>
  grid.planes * planeBytes(c.inChannels, c.outChannels);

/** Input channels of a rotated filter that are transposed at a time. */
const ROTATED_ROWS = 16;

/** Bytes of scratch that `emitFilterPanel`'s function needs. */
export const filterScratch = (rotated: boolean): number => (rotated ? 9 * ROTATED_ROWS * PANEL * 4 : 0);

/** Rows of U that one piece writes: with 32, pieces enough for 8 threads at 64 channels. */
const PIECE_ROWS = 32;

/** Filter → U; buffers filter, U. */
export function filterKernel(c: Convolution, grid: Grid, rotated: boolean, features: Features): Kernel {
  const { inChannels, outChannels } = c;
  const rows = inChannels % PIECE_ROWS === 0 ? PIECE_ROWS : PANEL;
  const slices = inChannels / rows;
  const name = `winograd filter F${grid.m}${rotated ? ' rotated' : ''} ${inChannels}->${outChannels}`;
  return {
    name,
    key: `${name} ${JSON.stringify(features)}`,
    buffers: 2,
    pieces: slices * (outChannels / PANEL),
    scratch: filterScratch(rotated),
    flops: 4 * grid.planes * inChannels * outChannels,
    bytes: 9 * inChannels * outChannels * 4 + filterBytes(c, grid),
    emit(m) {
      const transform = emitFilterPanel(m, c, grid, planeBytes(inChannels, outChannels), rotated, features);
      m.func('k', ['i32', 'i32', 'i32', 'i32'], [], (f) => {
        const [piece, scratch, filter, u] = f.params;
        const [panel, row] = f.locals('i32', 2);
        f.set(panel, i32.div_u(piece, i32.const(slices)));
        f.set(row, i32.mul(i32.sub(piece, i32.mul(panel, i32.const(slices))), i32.const(rows)));
        f.inc(u, i32.mul(i32.add(i32.mul(panel, i32.const(inChannels)), row), i32.const(PANEL * 4)));
        f.push(call(transform, filter, panel, row, i32.const(rows), u, scratch));
      });
    },
  };
}

/**
 * Emits `panel(filter, panel, row, rows, u, scratch)`: U of 16 output channels and of `rows` input channels from `row`,
 * written at `u`, whose planes are `plane` bytes apart. With `rotated`, the filter is that of the layer whose input
 * gradient `c` computes: its taps are taken from the end, and its channel axes swapped.
 */
export function emitFilterPanel(
  m: ModuleBuilder,
  c: Convolution,
  grid: Grid,
  plane: number,
  rotated: boolean,
  features: Features,
): number {
  const { inChannels, outChannels } = c;
  const from = rotated ? { width: PANEL, height: ROTATED_ROWS } : { width: outChannels, height: inChannels };
  const transform = emitFilterTransform(m, grid, plane, from, features);
  const rotate = rotated ? emitRotate(m, inChannels, outChannels) : -1;
  return m.func(null, ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [filter, panel, row, rows, u, scratch] = f.params;
    const end = f.local('i32');
    if (!rotated) {
      const at = i32.add(i32.mul(panel, i32.const(PANEL * 4)), i32.mul(row, i32.const(outChannels * 4)));
      f.push(call(transform, i32.add(filter, at), u, rows));
      return;
    }
    f.set(end, i32.add(row, rows));
    f.for(row, row, end, ROTATED_ROWS, () => {
      const at = i32.add(i32.mul(panel, i32.const(inChannels * PANEL * 4)), i32.mul(row, i32.const(4)));
      f.push(call(rotate, i32.add(filter, at), scratch));
      f.push(call(transform, scratch, u, i32.const(ROTATED_ROWS)));
      f.inc(u, ROTATED_ROWS * PANEL * 4);
    });
  });
}

/**
 * Emits `transform(filter, u, rows)`: 16 output channels of `rows` input channels.
 * A row of the filter has `width` channels, its taps are `height` rows apart.
 */
function emitFilterTransform(
  m: ModuleBuilder,
  grid: Grid,
  plane: number,
  { width, height }: { readonly width: number; readonly height: number },
  features: Features,
): number {
  const { filter: matrix } = matrices(grid.m);
  const step = groupBytes(features);
  return m.func(null, ['i32', 'i32', 'i32'], [], (f) => {
    const [filter, u, rows] = f.params;
    const group = f.local('i32');
    const e = new LaneEmitter(f, features);
    e.prepare(matrix);
    f.loop((nextRow) => {
      f.set(group, i32.const((PANEL * 4) / step));
      f.loop((nextGroup) => {
        transform2d(
          3,
          (values) => apply(e, matrix, values),
          (values) => apply(e, matrix, values),
          (i, j) => e.load(filter, (i * 3 + j) * width * height * 4),
          (i, values) => {
            values.forEach((value, j) => {
              e.store(u, (i * grid.n + j) * plane, value);
            });
          },
        );
        e.forget();
        f.inc(filter, step);
        f.inc(u, step);
        f.set(group, i32.sub(group, i32.const(1)));
        f.brIf(nextGroup, group);
      });
      f.inc(filter, (width - PANEL) * 4);
      f.set(rows, i32.sub(rows, i32.const(1)));
      f.brIf(nextRow, rows);
    });
  });
}

/**
 * Emits `rotate(filter, block)`: 16 × 16 channels of a filter [9][outChannels][inChannels] (a layer's HWIO, its input
 * channels being the outputs here) → block [9][16 of inChannels][16 of outChannels] with the taps from the end.
 */
function emitRotate(m: ModuleBuilder, inChannels: number, outChannels: number): number {
  return m.func(null, ['i32', 'i32'], [], (f) => {
    const [filter, block] = f.params;
    const [tap, row, from, to] = f.locals('i32', 4);
    const quads = f.locals('v128', 8);
    const side = PANEL * 4;
    f.for(tap, 0, 9, 1, () => {
      f.for(row, 0, ROTATED_ROWS, 4, () => {
        f.set(
          from,
          i32.add(filter, i32.add(i32.mul(tap, i32.const(inChannels * outChannels * 4)), i32.mul(row, i32.const(4)))),
        );
        const target = i32.add(i32.mul(i32.sub(i32.const(8), tap), i32.const(ROTATED_ROWS)), row);
        f.set(to, i32.add(block, i32.mul(target, i32.const(side))));
        for (let column = 0; column < PANEL; column += 4) {
          transpose4(
            f,
            quads,
            (i) => v128.load(from, (column + i) * inChannels * 4),
            (i, value) => f.push(v128.store(to, value, i * side + column * 4)),
          );
        }
      });
    });
  });
}

/** Transposes 4 × 4 floats, given and taken as rows. */
function transpose4(
  f: Func,
  quads: readonly Local[],
  load: (i: number) => Expr,
  store: (i: number, value: Expr) => void,
) {
  const [a, b, c, d, ab, AB, cd, CD] = quads;
  [a, b, c, d].forEach((row, i) => {
    f.set(row, load(i));
  });
  f.set(ab, v128.shuffle32(a, b, [0, 4, 1, 5]));
  f.set(AB, v128.shuffle32(a, b, [2, 6, 3, 7]));
  f.set(cd, v128.shuffle32(c, d, [0, 4, 1, 5]));
  f.set(CD, v128.shuffle32(c, d, [2, 6, 3, 7]));
  store(0, v128.shuffle32(ab, cd, [0, 1, 4, 5]));
  store(1, v128.shuffle32(ab, cd, [2, 3, 6, 7]));
  store(2, v128.shuffle32(AB, CD, [0, 1, 4, 5]));
  store(3, v128.shuffle32(AB, CD, [2, 3, 6, 7]));
}

/** A block of the filter's gradient, and the whole that it is a part of. */
export interface FilterBlock {
  readonly grid: Grid;
  /** Channels of the block; its planes of dU are panels [outChannels/16][inChannels][16]. */
  readonly inChannels: number;
  readonly outChannels: number;
  /** Channels of the whole filter. */
  readonly wholeIn: number;
  readonly wholeOut: number;
  readonly features: Features;
}

/** Emits `gather(du, filter, first)`: the block's gradient from dU; written if `first`, else added. */
export function emitFilterGradient(m: ModuleBuilder, block: FilterBlock): number {
  const { grid, inChannels, outChannels, wholeIn, wholeOut, features } = block;
  const { filter: matrix } = matrices(grid.m);
  const plane = planeBytes(inChannels, outChannels);
  const step = groupBytes(features);
  const tap = wholeIn * wholeOut * 4;
  /** One function each for writing and adding keeps what the revectoriser has to prove small. */
  const emit = (add: boolean) =>
    m.func(null, ['i32', 'i32'], [], (f) => {
      const [du, filter] = f.params;
      const [row, from, to, group] = f.locals('i32', 4);
      const e = new LaneEmitter(f, features);
      e.prepare(matrix);
      f.for(row, 0, inChannels, 1, () => {
        f.set(from, i32.add(du, i32.mul(row, i32.const(PANEL * 4))));
        f.set(to, i32.add(filter, i32.mul(row, i32.const(wholeOut * 4))));
        f.set(group, i32.const((outChannels * 4) / step));
        f.loop((top) => {
          transform2d(
            grid.n,
            (values) => applyTransposed(e, matrix, values),
            (values) => applyTransposed(e, matrix, values),
            (i, j) => e.load(from, (i * grid.n + j) * plane),
            (i, values) => {
              values.forEach((value, j) => {
                const at = (i * 3 + j) * tap;
                e.store(to, at, add ? e.add(e.load(to, at), value) : value);
              });
            },
          );
          e.forget();
          f.inc(to, step);
          f.inc(from, step);
          f.if(i32.eqz(i32.and(from, i32.const(PANEL * 4 - 1))), () => f.inc(from, (inChannels - 1) * PANEL * 4));
          f.set(group, i32.sub(group, i32.const(1)));
          f.brIf(top, group);
        });
      });
    });
  const write = emit(false);
  const add = emit(true);
  return m.func(null, ['i32', 'i32', 'i32'], [], (f) => {
    const [du, filter, first] = f.params;
    f.if(
      first,
      () => f.push(call(write, du, filter)),
      () => f.push(call(add, du, filter)),
    );
  });
}
