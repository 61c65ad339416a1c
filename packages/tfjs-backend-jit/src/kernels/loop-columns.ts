/**
 * Values that depend on the column alone (a BatchNorm's γ/√(σ²+ε), a per-channel constant) are computed once per piece,
 * into rows of scratch that the loop then loads. Short rows are repeated there, so that odd channel counts fill vectors.
 */
import { type Expr, type Func, i32, type ModuleBuilder } from '../wasm/assembler.ts';
import { denseStrides, liveInputs, liveNodes, type Nest, product, rootsOf, type Stream } from './loop-nest.ts';
import type { BodyNode } from './loop-spec.ts';
import { type Coordinates, withOffset } from './loop-tasks.ts';
import { Tile, tileScratch } from './loop-tile.ts';

/** A nest whose later inputs lie in scratch, and the loop over columns that fills them. */
export interface Prepared {
  readonly nest: Nest;
  /** Inputs with an index below this are the kernel's own; the others are rows of scratch. */
  readonly inputs: number;
  /** Fills the rows: [copies, columns]. */
  readonly prologue?: Nest;
  /** Elements of one row of scratch. */
  readonly width: number;
  /** How many rows of the given nest one row of `nest` holds side by side. */
  readonly copies: number;
}

/** Rows of scratch together must leave room in the first-level cache. */
const MAX_SCRATCH = 16384;
const MAX_COLUMNS = 2048;
/** Fewer rows than this do not repay the work ahead of them. */
const MIN_ROWS = 8;
/** Rows of less than this gain from standing side by side, up to so many columns together. */
const SHORT = 64;
const WIDE = 512;
const LANES = 8;

export function hoistColumns(nest: Nest): Prepared {
  const copies = sideBySide(nest);
  const plain: Prepared = { nest, inputs: nest.inputs.length, width: 0, copies: 1 };
  const last = nest.axes.length - 1;
  const columns = nest.axes[last]?.size ?? 1;
  const { nodes, costly } = columnNodes(nest, copies > 1);
  const width = columns * copies;
  const rows = product(nest.axes.map((axis) => axis.size)) / columns;
  const fits = rows >= MIN_ROWS && columns <= MAX_COLUMNS && nodes.length * width * 4 <= MAX_SCRATCH;
  if (last === 0 || !fits || (copies === 1 && !costly)) return plain;
  // The wider nest: the last two axes regroup as [rows / copies, copies · columns].
  const wide = (strides: readonly number[]): readonly number[] =>
    strides.map((s, a) => (a === last - 1 ? s * copies : s));
  const body = nest.body.map((node, i): BodyNode => {
    const at = nodes.indexOf(i);
    return at < 0 ? node : { kind: 'load', input: nest.inputs.length + at, lane: node.lane };
  });
  const row = (value: number, j: number) => ({
    value,
    lane: nest.body[value]?.lane ?? ('f32' as const),
    offset: j * width,
  });
  const main: Nest = {
    axes: nest.axes.map((axis, a) => {
      if (a === last) return { ...axis, size: width };
      return a === last - 1 ? { ...axis, size: axis.size / copies } : axis;
    }),
    inputs: [
      ...nest.inputs.map((s) => ({ ...s, strides: wide(s.strides) })),
      ...nodes.map((value, j) => {
        const { lane, offset } = row(value, j);
        return { lane, offset, strides: nest.axes.map((_, a) => (a === last ? 1 : 0)) };
      }),
    ],
    body,
    stores: nest.stores.map((s) => ({ ...s, strides: wide(s.strides) })),
    reductions: nest.reductions,
  };
  if (nodes.length === 0) return { ...plain, nest: main, copies };
  const prologue: Nest = {
    axes: [
      { size: copies, reduced: false },
      { size: columns, reduced: false },
    ],
    inputs: nest.inputs.map((s) => ({ ...s, strides: [0, s.strides[last] ?? 0] })),
    body: nest.body,
    stores: nodes.map((value, j) => ({ ...row(value, j), strides: denseStrides([copies, columns]) })),
    reductions: [],
  };
  return { nest: main, inputs: nest.inputs.length, prologue, width, copies };
}

/** How many short rows to treat as one: a divisor of their number that makes whole vectors. */
function sideBySide(nest: Nest): number {
  const last = nest.axes.length - 1;
  const columns = nest.axes[last]?.size ?? 1;
  const rows = nest.axes[last - 1]?.size ?? 1;
  if (last === 0 || columns >= SHORT || columns % LANES === 0) return 1;
  const live = liveInputs(nest);
  const streams = [...nest.inputs.filter((_, i) => live.has(i)), ...nest.stores];
  if (!streams.every((s) => sideBySideStream(s, columns))) return 1;
  for (const index of liveNodes(nest.body, rootsOf(nest))) {
    const node = nest.body[index];
    if (node?.kind === 'index' && node.axis >= last - 1) return 1;
  }
  let best = 1;
  for (let k = 2; k <= rows && k * columns <= WIDE; k++) {
    if (rows % k === 0 && ((k * columns) % LANES === 0 || (best * columns) % LANES !== 0)) best = k;
  }
  return best * columns >= SHORT ? best : 1;
}

/** Dense over the last two axes, constant over both, or (anywhere) the same in every row. */
function sideBySideStream({ strides }: Stream, columns: number): boolean {
  const [row = 0, column = 0] = strides.slice(-2);
  if (row === columns && column === 1) return true;
  return strides.slice(0, -1).every((s) => s === 0) || (row === 0 && column === 0);
}

/** The nodes that depend on the column alone and that something else needs; loads too if `loads`. */
function columnNodes(nest: Nest, loads: boolean): { nodes: number[]; costly: boolean } {
  const last = nest.axes.length - 1;
  const roots = rootsOf(nest);
  const live = [...liveNodes(nest.body, roots)].sort((a, b) => a - b);
  /** For each node: does it change with the column, and with anything else? */
  const column: boolean[] = [];
  const other: boolean[] = [];
  for (const i of live) {
    const node = nest.body[i];
    if (node?.kind === 'load') {
      const { strides = [] } = nest.inputs[node.input] ?? {};
      column[i] = (strides[last] ?? 0) !== 0;
      other[i] = strides.some((s, a) => a !== last && s !== 0);
    } else if (node?.kind === 'index') {
      column[i] = node.axis === last;
      other[i] = true; // an index costs nothing to compute
    } else if (node?.kind === 'apply') {
      column[i] = node.args.some((arg) => column[arg] === true);
      other[i] = node.args.some((arg) => other[arg] === true);
    }
  }
  const needed = new Set(roots);
  for (const i of live) {
    const node = nest.body[i];
    if (node?.kind === 'apply' && other[i]) for (const arg of node.args) needed.add(arg);
  }
  const nodes = live.filter(
    (i) => needed.has(i) && column[i] && !other[i] && (loads || nest.body[i]?.kind === 'apply'),
  );
  return { nodes, costly: nodes.some((i) => nest.body[i]?.kind === 'apply') };
}

/** Scratch of a kernel over a prepared nest: a tile's own, then the rows. */
export function preparedScratch(prepared: Prepared, rowsTogether: number): { rows: number; bytes: number } {
  const own = Math.max(
    tileScratch(prepared.nest, rowsTogether),
    prepared.prologue ? tileScratch(prepared.prologue, 1) : 0,
  );
  const rows = (own + 63) & ~63;
  return { rows, bytes: rows + (prepared.nest.inputs.length - prepared.inputs) * prepared.width * 4 };
}

/** Defines the prologue's functions; the result emits its call at a piece's start. */
export function definePrologue(
  module: ModuleBuilder,
  prepared: Prepared,
  rows: number,
  relaxed: boolean,
): (f: Func, scratch: Expr, pointer: (input: number) => Expr) => void {
  const { prologue, copies } = prepared;
  if (!prologue) return () => {};
  const columns = prologue.axes[1]?.size ?? 1;
  const tile = new Tile(module, prologue, columns, { relaxed, rowsTogether: 1, parts: 2 });
  return (f, scratch, pointer) =>
    tile.call(f, {
      scratch,
      rows: i32.const(copies),
      columns: i32.const(columns),
      coordinate: () => i32.const(0),
      input: (i) => withOffset(pointer(i), prologue.inputs[i]?.offset ?? 0),
      store: (j) => withOffset(i32.add(scratch, i32.const(rows)), prologue.stores[j]?.offset ?? 0),
      pointers: [],
    });
}

/** Addresses of the streams of a prepared nest at the current task, from a kernel's parameters (piece, scratch, …buffers). */
export class Pointers {
  private readonly f: Func;
  private readonly prepared: Prepared;
  private readonly rows: number;
  private readonly at: readonly Coordinates[];

  /** `rows`: where in scratch the prologue's rows begin. `at`: what moves the pointers. */
  constructor(f: Func, prepared: Prepared, rows: number, at: readonly Coordinates[]) {
    this.f = f;
    this.prepared = prepared;
    this.rows = rows;
    this.at = at;
  }

  input(index: number): Expr {
    const own = index < this.prepared.inputs;
    const base = own ? this.f.param(2 + index) : i32.add(this.f.param(1), i32.const(this.rows));
    return this.move(base, this.prepared.nest.inputs[index]);
  }

  store(index: number): Expr {
    return this.move(this.f.param(2 + this.prepared.inputs + index), this.prepared.nest.stores[index]);
  }

  /** The pointer of reduction j, unmoved. */
  reduction(j: number): Expr {
    return this.f.param(2 + this.prepared.inputs + this.prepared.nest.stores.length + j);
  }

  private move(base: Expr, stream: Stream | undefined): Expr {
    if (!stream) throw new Error('internal: loop has no such stream');
    const moved = this.at.reduce((address, at) => at.address(address, stream), base);
    return withOffset(moved, stream.offset);
  }
}
