/**
 * A tile: what runs a loop's body over some rows × some columns, the two innermost axes.
 * Whole vectors (the hot code) and the columns left over are two functions, so that the hot one pairs entirely.
 */
import { call, type Expr, type Func, i32, type ModuleBuilder } from '../wasm/assembler.ts';
import type { Parts } from './loop-body.ts';
import { liveInputs, liveNodes, type Nest, rootsOf } from './loop-nest.ts';
import { parameterCount, type Range, type Sink, TileCode, type TileShape } from './loop-tile-code.ts';

export interface TileOptions {
  readonly relaxed: boolean;
  /** Rows taken together in one group; the rest of the rows goes one by one. */
  readonly rowsTogether: number;
  /** Vectors per step of the hot loop: an even number. */
  readonly parts: number;
  /** Makes a fresh sink for each function, whose steps have at most so many vectors (0: single lanes only). */
  readonly sink?: (parts: Parts) => Sink;
  /** No vectors at all: every point by itself. */
  readonly single?: boolean;
}

/** Pointers and counts for one call of a tile. */
export interface TileCall {
  readonly scratch: Expr;
  readonly rows: Expr;
  readonly columns: Expr;
  /** The coordinate of the first point along a nest axis. */
  coordinate(axis: number): Expr;
  input(index: number): Expr;
  store(index: number): Expr;
  readonly pointers: readonly Expr[];
}

/** Columns of the hot loop: whole pairs of vectors. */
const HOT_LANES = 8;
const inPairs: Range = (columns) => ({ from: i32.const(0), count: i32.and(columns, i32.const(-HOT_LANES)) });
const afterPairs: Range = (columns) => ({
  from: i32.and(columns, i32.const(-HOT_LANES)),
  count: i32.and(columns, i32.const(HOT_LANES - 1)),
});
const everything: Range = (columns) => ({ from: i32.const(0), count: columns });

/** Bytes of scratch that a tile's functions use, from the start. */
export function tileScratch(nest: Nest, rowsTogether: number): number {
  return liveNodes(nest.body, rootsOf(nest)).size * (rowsTogether + 2) * 4;
}

export class Tile {
  private readonly nest: Nest;
  private readonly options: TileOptions;
  private readonly inputs: readonly number[];
  private readonly indexed: readonly number[];
  private readonly functions: number[] = [];

  /** Defines the functions. `columns` is the size of the last axis before it is cut into blocks of whole pairs. */
  constructor(module: ModuleBuilder, nest: Nest, columns: number, options: TileOptions) {
    this.nest = nest;
    this.options = options;
    this.inputs = [...liveInputs(nest)].sort((a, b) => a - b);
    this.indexed = indexedAxes(nest);
    if (options.single) {
      this.define(module, [0], 1, everything);
      return;
    }
    const hot = columns >= HOT_LANES && isHot(nest);
    if (hot) {
      const { parts, rowsTogether } = options;
      this.define(module, parts > 2 && columns >= parts * 4 ? [parts, 2] : [2], rowsTogether, inPairs);
    }
    const rest = hot ? columns % HOT_LANES : columns;
    const steps = [...(rest >= 4 ? [1] : []), ...(rest % 4 === 0 ? [] : [0])];
    if (steps.length > 0) this.define(module, steps, 1, hot ? afterPairs : everything);
  }

  /** Emits the calls that run the tile. The arguments must be cheap to compute twice. */
  call(f: Func, args: TileCall): void {
    for (const func of this.functions) {
      f.push(
        call(
          func,
          args.scratch,
          args.rows,
          args.columns,
          ...this.indexed.map((axis) => args.coordinate(axis)),
          ...this.inputs.map((i) => args.input(i)),
          ...this.nest.stores.map((_, i) => args.store(i)),
          ...args.pointers,
        ),
      );
    }
  }

  private define(module: ModuleBuilder, steps: readonly Parts[], rowsTogether: number, range: Range): void {
    const { nest, inputs, indexed } = this;
    const { relaxed } = this.options;
    const sink = this.options.sink?.(Math.max(...steps));
    const shape: TileShape = { nest, inputs, indexed, steps, rowsTogether, range, relaxed, sink };
    const types = new Array<'i32'>(parameterCount(shape)).fill('i32');
    this.functions.push(module.func(null, types, [], (f) => new TileCode(f, shape).emit()));
  }
}

/** The axes whose coordinates the body reads. */
function indexedAxes(nest: Nest): number[] {
  const axes = new Set<number>();
  for (const index of liveNodes(nest.body, rootsOf(nest))) {
    const node = nest.body[index];
    if (node?.kind === 'index') axes.add(node.axis);
  }
  return [...axes].sort((a, b) => a - b);
}

/** Hot code needs vectors that lie in memory as they are used. */
export function isHot(nest: Nest): boolean {
  const column = nest.axes.length - 1;
  return (
    [...liveInputs(nest)].every((i) => [0, 1].includes(nest.inputs[i]?.strides[column] ?? 0)) &&
    nest.stores.every((s) => s.strides[column] === 1)
  );
}
