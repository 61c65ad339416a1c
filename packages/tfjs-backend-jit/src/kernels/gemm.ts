/**
 * The loops around the register tile: a block of rows times a range of columns, cut so that B's slices stay in L1.
 * Matmul and the convolutions differ only in their row tables, step tables and packing.
 */
import { call, type Expr, i32, type ModuleBuilder, select } from '../wasm/assembler.ts';
import { emitPackSlice, type PackSource } from './gemm-pack.ts';
import { type Phase, stepsOf, stepTableOffset } from './gemm-steps.ts';
import { emitTile, ROW_ENTRY, STEP_ENTRY, TILE_ROWS } from './gemm-tile.ts';

export interface GemmSpec {
  readonly phases: readonly Phase[];
  /** Columns of a tile (`tileColumns`). */
  readonly width: number;
  readonly relaxed: boolean;
  /** Every number of rows that a call may ask for: tells which remainders (rows % 6) need a tile of their own. */
  readonly rowCounts: Iterable<number>;
  /** k of a whole packed panel: more than the phases' where a call does a part of it. */
  readonly panelDepth: number;
  /** B is not packed yet: each slice is packed into scratch just before its use. For blocks that read B once. */
  readonly pack?: PackSource;
}

/** Bytes of scratch for the slice of B that `gemm` packs itself. */
export const sliceBytes = (spec: GemmSpec): number =>
  spec.pack ? Math.max(...spec.phases.map((p) => p.blockSteps * p.unroll)) * spec.width * 4 : 0;

/** Tiles by what their code depends on, so that kernels with several row blocks or classes share them. */
export class Tiles {
  private readonly module: ModuleBuilder;
  private readonly known = new Map<string, number>();

  constructor(module: ModuleBuilder) {
    this.module = module;
  }

  get(rows: number, phase: Phase, width: number, relaxed: boolean): number {
    const { unroll, aStep } = phase;
    const key = [rows, unroll, aStep, width].join();
    const found = this.known.get(key) ?? emitTile(this.module, { rows, columns: width, unroll, aStep, relaxed });
    this.known.set(key, found);
    return found;
  }
}

/**
 * Emits `gemm(table, rows, steps, b, firstPanel, endPanel, first, slice, ...counts)`: for `rows` entries of the row
 * table and the columns of panels firstPanel … endPanel − 1, C (+)= A·B. `steps` are the step tables, `b` the packed
 * panels (or, with `pack`, the unpacked matrix, and `slice` its scratch), `first` says to overwrite C, and `counts`
 * are the steps of each phase to do. Returns the function's index.
 */
export function emitGemm(m: ModuleBuilder, tiles: Tiles, spec: GemmSpec): number {
  const { phases, width, relaxed, pack } = spec;
  const counts = [...new Set(spec.rowCounts)];
  const remainders = [...new Set(counts.map((n) => n % TILE_ROWS))].filter((n) => n > 0).sort((a, b) => b - a);
  const full = counts.some((n) => n >= TILE_ROWS);
  const tileOf = phases.map((phase) => (rows: number) => tiles.get(rows, phase, width, relaxed));
  for (const get of tileOf) for (const rows of full ? [TILE_ROWS, ...remainders] : remainders) get(rows);
  const packs = phases.map((phase) => (pack ? emitPackSlice(m, phase.unroll, pack, width) : 0));
  const panelBytes = spec.panelDepth * width * 4;
  const params = Array.from({ length: 8 + phases.length }, () => 'i32' as const);
  return m.func(null, params, [], (f) => {
    const [table, rows, steps, b, firstPanel, endPanel, first, slice, ...todo] = f.params;
    const [start, count, entry, panel, from, sixes, rest, at] = f.locals('i32', 8);
    f.set(sixes, i32.div_u(rows, i32.const(TILE_ROWS)));
    f.set(rest, i32.rem_u(rows, i32.const(TILE_ROWS)));
    let depth = 0;
    phases.forEach((phase, p) => {
      const stepBytes = phase.unroll * width * 4;
      f.for(start, 0, todo[p], phase.blockSteps, () => {
        f.set(count, smaller(i32.sub(todo[p], start), i32.const(phase.blockSteps)));
        f.set(entry, i32.add(steps, i32.mul(start, i32.const(STEP_ENTRY))));
        f.inc(entry, stepTableOffset(phases, p));
        f.for(panel, firstPanel, endPanel, 1, () => {
          if (pack) {
            f.set(from, i32.add(b, i32.mul(panel, i32.const(width * pack.nStride))));
            const left = i32.sub(i32.const(pack.columns), i32.mul(panel, i32.const(width)));
            f.push(call(packs[p], slice, from, entry, count, left));
            f.set(from, slice);
          } else {
            f.set(from, i32.add(b, i32.mul(panel, i32.const(panelBytes))));
            f.inc(from, i32.add(i32.mul(start, i32.const(stepBytes)), i32.const(depth * width * 4)));
          }
          const column = i32.mul(panel, i32.const(width * 4));
          if (full) {
            f.if(sixes, () => {
              f.push(call(tileOf[p](TILE_ROWS), table, sixes, entry, count, from, column, first));
            });
          }
          f.set(at, i32.add(table, i32.mul(sixes, i32.const(TILE_ROWS * ROW_ENTRY))));
          for (const n of remainders) {
            f.if(i32.eq(rest, i32.const(n)), () => {
              f.push(call(tileOf[p](n), at, i32.const(1), entry, count, from, column, first));
            });
          }
        });
        f.set(first, i32.const(0));
      });
      depth += phase.unroll * stepsOf(phase);
    });
  });
}

/** The smaller of two unsigned numbers; both are evaluated twice. */
export const smaller = (a: Expr, b: Expr): Expr => select(a, b, i32.lt_u(a, b));

/** Hands out parts of a thread's scratch memory, each on a 128-byte boundary. */
export class Layout {
  bytes = 0;

  add(size: number): number {
    const at = this.bytes;
    this.bytes += (size + 127) & ~127;
    return at;
  }
}

/** Where part `index` of `parts` equal parts of `count` begins. */
export const share = (index: Expr, count: number, parts: number): Expr =>
  i32.div_u(i32.mul(index, i32.const(count)), i32.const(parts));
