/**
 * Packs the right-hand matrix of a product into panels: [columns / 16][k][16], zeros beyond the last column.
 * A panel is read once per row tile, in order, so a slice of it lives in the first-level cache.
 */
import { call, type Expr, type Func, f32, i32, type Local, type ModuleBuilder, v128 } from '../wasm/assembler.ts';
import { depthOf, emitStepTables, type Phase, stepsOf, stepTableBytes, stepTableOffset } from './gemm-steps.ts';
import { STEP_ENTRY } from './gemm-tile.ts';
import type { Kernel } from './kernel.ts';

/** How the unpacked matrix lies in memory; where its steps start is in the phases (`bStart`, `nest[].b`). */
export interface PackSource {
  /** Bytes from one k to the next within a step. */
  readonly kStride: number;
  /** Bytes from one column to the next. One of the two strides is 4. */
  readonly nStride: number;
  readonly columns: number;
}

/** Bytes of one packed matrix. */
export const packedBytes = (phases: readonly Phase[], columns: number, width: number): number =>
  Math.ceil(columns / width) * depthOf(phases) * width * 4;

/**
 * Emits `pack(to, from, entry, count, columns)`: packs `count` steps, whose offsets from `from` stand in the step
 * table at `entry`, for the `columns` columns that are left (more than `width` counts as `width`).
 */
export function emitPackSlice(m: ModuleBuilder, unroll: number, source: PackSource, width: number): number {
  const whole = source.nStride === 4 ? emitCopyBlock : emitTransposeBlock;
  return m.func(null, ['i32', 'i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [to, from, entry, count, columns] = f.params;
    const [at, step] = f.locals('i32', 2);
    f.for(step, 0, count, 1, () => {
      f.set(at, i32.add(from, i32.load(entry, 8)));
      f.if(
        i32.ge_u(columns, i32.const(width)),
        () => whole(f, to, at, unroll, source, width),
        () => emitPartialBlock(f, to, at, columns, unroll, source, width),
      );
      f.inc(to, unroll * width * 4);
      f.inc(entry, STEP_ENTRY);
    });
  });
}

/** Rows of B are contiguous: `unroll` copies of `width` floats. */
function emitCopyBlock(f: Func, to: Local, from: Local, unroll: number, source: PackSource, width: number): void {
  const at = f.local('i32');
  const out = f.local('i32');
  const k = f.local('i32');
  f.set(at, from);
  f.set(out, to);
  f.for(k, 0, unroll, 1, () => {
    for (let j = 0; j < width; j += 8) {
      const [low, high] = f.locals('v128', 2);
      f.set(low, v128.load(at, j * 4));
      f.set(high, v128.load(at, j * 4 + 16));
      f.push(v128.store(out, high, j * 4 + 16));
      f.push(v128.store(out, low, j * 4));
    }
    f.inc(at, source.kStride);
    f.inc(out, width * 4);
  });
}

/** Columns of B are contiguous: blocks of 4 × 4 through registers, the last `unroll % 4` k one by one. */
function emitTransposeBlock(f: Func, to: Local, from: Local, unroll: number, source: PackSource, width: number): void {
  const [at, out, n] = f.locals('i32', 3);
  const v = f.locals('v128', 4);
  f.set(at, from);
  f.set(out, to);
  const fours = unroll - (unroll % 4);
  f.for(n, 0, width, 4, () => {
    for (let k = 0; k < fours; k += 4) {
      v.forEach((row, i) => {
        f.set(row, v128.load(at, i * source.nStride + k * 4));
      });
      transpose4(v).forEach((column, i) => {
        f.push(v128.store(out, column, (k + i) * width * 4));
      });
    }
    for (let k = fours; k < unroll; k++) {
      for (let i = 0; i < 4; i++) {
        f.push(f32.store(out, f32.load(at, i * source.nStride + k * 4), (k * width + i) * 4));
      }
    }
    f.inc(at, 4 * source.nStride);
    f.inc(out, 16);
  });
}

/** The four columns of the 4 × 4 matrix whose rows are `v`. */
function transpose4(v: readonly Local[]): Expr[] {
  const [a, b, c, d] = v;
  const low = (x: Expr, y: Expr) => v128.shuffle32(x, y, [0, 4, 1, 5]);
  const high = (x: Expr, y: Expr) => v128.shuffle32(x, y, [2, 6, 3, 7]);
  const first = (x: Expr, y: Expr) => v128.shuffle32(x, y, [0, 1, 4, 5]);
  const second = (x: Expr, y: Expr) => v128.shuffle32(x, y, [2, 3, 6, 7]);
  return [
    first(low(a, b), low(c, d)),
    second(low(a, b), low(c, d)),
    first(high(a, b), high(c, d)),
    second(high(a, b), high(c, d)),
  ];
}

/** The last columns, fewer than a panel: float by float, zeros in the rest. */
function emitPartialBlock(
  f: Func,
  to: Local,
  from: Local,
  columns: Local,
  unroll: number,
  source: PackSource,
  width: number,
): void {
  const [k, n, out] = f.locals('i32', 3);
  f.set(out, to);
  f.for(k, 0, unroll, 1, () => {
    f.for(n, 0, width, 1, () => {
      const at = i32.add(from, i32.add(i32.mul(k, i32.const(source.kStride)), i32.mul(n, i32.const(source.nStride))));
      f.if(
        i32.lt_u(n, columns),
        () => f.push(f32.store(out, f32.load(at))),
        () => f.push(f32.store(out, f32.const(0))),
      );
      f.inc(out, 4);
    });
  });
}

/** `count` matrices, `stride` bytes apart, packed one after the other from byte `offset` of the packed buffer on. */
export interface PackJob {
  readonly phases: readonly Phase[];
  readonly source: PackSource;
  readonly count: number;
  readonly stride: number;
  readonly offset: number;
}

/** A kernel (from, to) that packs every job; a piece is one panel of one matrix. */
export function packKernel(name: string, key: string, jobs: readonly PackJob[], width: number): Kernel {
  const panels = jobs.map((job) => Math.ceil(job.source.columns / width));
  const pieces = jobs.map((job, i) => job.count * panels[i]);
  const floats = jobs.reduce((n, job, i) => n + pieces[i] * depthOf(job.phases) * width, 0);
  return {
    name: `pack ${name}`,
    key: `pack ${key}`,
    buffers: 2,
    pieces: pieces.reduce((a, b) => a + b, 0),
    scratch: Math.max(...jobs.map((job) => stepTableBytes(job.phases))),
    flops: 0,
    bytes: floats * 8,
    emit(m) {
      const funcs = jobs.map((job, i) => emitPackJob(m, job, panels[i], width));
      m.func('k', ['i32', 'i32', 'i32', 'i32'], [], (f) => {
        const [piece, scratch, from, to] = f.params;
        let first = 0;
        jobs.forEach((job, i) => {
          const local = i32.sub(piece, i32.const(first));
          f.if(i32.lt_u(local, i32.const(pieces[i])), () => {
            f.push(call(funcs[i], local, scratch, from, i32.add(to, i32.const(job.offset))));
          });
          first += pieces[i];
        });
      });
    },
  };
}

/** Emits `job(piece, scratch, from, to)`: packs panel `piece % panels` of matrix `piece / panels`. */
function emitPackJob(m: ModuleBuilder, job: PackJob, panels: number, width: number): number {
  const { phases, source } = job;
  const slices = phases.map((phase) => emitPackSlice(m, phase.unroll, source, width));
  const depth = depthOf(phases);
  return m.func(null, ['i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [piece, scratch, from, to] = f.params;
    const panel = f.local('i32');
    emitStepTables(f, phases, scratch);
    f.set(panel, i32.rem_u(piece, i32.const(panels)));
    f.inc(from, i32.mul(i32.div_u(piece, i32.const(panels)), i32.const(job.stride)));
    f.inc(from, i32.mul(panel, i32.const(width * source.nStride)));
    f.inc(to, i32.mul(piece, i32.const(depth * width * 4)));
    const left = i32.sub(i32.const(source.columns), i32.mul(panel, i32.const(width)));
    phases.forEach((phase, i) => {
      const entry = i32.add(scratch, i32.const(stepTableOffset(phases, i)));
      f.push(call(slices[i], to, from, entry, i32.const(stepsOf(phase)), left));
      f.inc(to, stepsOf(phase) * phase.unroll * width * 4);
    });
  });
}
