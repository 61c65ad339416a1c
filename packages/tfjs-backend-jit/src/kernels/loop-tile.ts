/**
 * A tile: the function that runs a loop's body over some rows × some columns, the two innermost axes.
 * Whole vectors (the hot code) and the columns left over are two functions, so that the hot one pairs entirely.
 */
import { call, type Expr, type Func, i32, type Local, type ModuleBuilder, v128 } from '../wasm/assembler.ts';
import { at, Body, lanesOf, type Parts, type Pointer, VectorLocals } from './loop-body.ts';
import { liveInputs, liveNodes, type Nest, rootsOf, type Stream } from './loop-nest.ts';

/** Where the values of reductions go; the values of stores go to the nest's streams. */
export interface Sink {
  /** Pointers that the function takes besides those of the nest; they advance by one element per column. */
  readonly pointers: number;
  /** Before the loop over rows. */
  begin(context: SinkContext): void;
  /** Takes the values of one group of points. `value(j, row, part)` is that of reduction j. */
  take(context: SinkContext, group: Group): void;
  /** After the loop over rows. */
  end(context: SinkContext): void;
}

export interface SinkContext {
  readonly f: Func;
  readonly locals: VectorLocals;
  readonly scratch: Local;
  /** At the current column. */
  readonly pointers: readonly Local[];
}

export interface Group {
  readonly rows: number;
  readonly parts: Parts;
  value(reduction: number, row: number, part: number): Expr;
}

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

const HOT_LANES = 8;

/** Bytes of scratch that a tile's functions use, from the start. */
export function tileScratch(nest: Nest, rowsTogether: number): number {
  return liveNodes(nest.body, rootsOf(nest)).size * (rowsTogether + 2) * 4;
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

export class Tile {
  private readonly nest: Nest;
  private readonly options: TileOptions;
  private readonly inputs: readonly number[];
  private readonly indexed: readonly number[];
  private readonly functions: number[] = [];
  private readonly extra: number;

  /** Defines the functions. `columns` is the size of the last axis before it is cut into blocks of whole vectors. */
  constructor(module: ModuleBuilder, nest: Nest, columns: number, options: TileOptions) {
    this.nest = nest;
    this.options = options;
    this.inputs = [...liveInputs(nest)].sort((a, b) => a - b);
    this.indexed = indexedAxes(nest);
    this.extra = options.sink?.(0).pointers ?? 0;
    const hot = !options.single && columns >= HOT_LANES && isHot(nest);
    if (hot) {
      const steps = options.parts > 2 && columns >= options.parts * 4 ? [options.parts, 2] : [2];
      this.define(module, steps, options.rowsTogether, (n) => ({
        from: i32.const(0),
        count: i32.and(n, i32.const(-HOT_LANES)),
      }));
      if (columns % HOT_LANES === 0) return;
    }
    const rest = hot ? columns % HOT_LANES : columns;
    const steps = options.single ? [0] : [...(rest >= 4 ? [1] : []), ...(rest % 4 === 0 ? [] : [0])];
    this.define(module, steps, 1, (n) => {
      if (!hot) return { from: i32.const(0), count: n };
      return { from: i32.and(n, i32.const(-HOT_LANES)), count: i32.and(n, i32.const(HOT_LANES - 1)) };
    });
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

  private define(
    module: ModuleBuilder,
    steps: readonly Parts[],
    rowsTogether: number,
    range: (columns: Expr) => { from: Expr; count: Expr },
  ): void {
    const { nest, indexed, inputs } = this;
    const count = 3 + indexed.length + inputs.length + nest.stores.length + this.extra;
    const types = new Array<'i32'>(count).fill('i32');
    const func = module.func(null, types, [], (f) => {
      let next = 0;
      const take = (): Local => f.param(next++);
      const [scratch, rows, columns] = [take(), take(), take()];
      const starts = indexed.map(take);
      const from = f.local('i32');
      const left = f.local('i32');
      const { from: first, count: total } = range(columns);
      const all = f.local('i32');
      f.set(from, first);
      f.set(all, total);
      const columnAxis = nest.axes.length - 1;
      const pointer = (stream: Stream): Pointer => {
        const row = take();
        const stride = stream.strides[columnAxis] ?? 0;
        if (stride !== 0) f.inc(row, i32.mul(from, i32.const(stride * 4)));
        return { row, column: stride === 0 ? row : f.local('i32'), stream };
      };
      const loads = new Map(inputs.map((i) => [i, pointer(nest.inputs[i] ?? fail(`no input ${i}`))]));
      const stores = nest.stores.map(pointer);
      const sinkRows = Array.from({ length: this.extra }, () => {
        const row = take();
        f.inc(row, i32.mul(from, i32.const(4)));
        return row;
      });
      const sinkColumns = sinkRows.map(() => f.local('i32'));
      const columnStart = starts[indexed.indexOf(columnAxis)];
      const column = columnStart ? f.local('i32') : undefined;
      if (columnStart) f.inc(columnStart, from);
      const coordinates = new Map(
        indexed.map((axis, i) => [axis, axis === columnAxis && column ? column : (starts[i] ?? fail('no start'))]),
      );
      const locals = new VectorLocals(f, this.options.relaxed);
      const body = new Body({ f, nest, locals, inputs: loads, coordinates, scratch });
      const context: SinkContext = { f, locals, scratch, pointers: sinkColumns };
      const sink = this.options.sink?.(Math.max(...steps));
      const walked = [...loads.values(), ...stores];

      const columnLoops = (together: number): void => {
        for (const p of walked) if (p.column !== p.row) f.set(p.column, p.row);
        sinkColumns.forEach((c, i) => {
          f.set(c, sinkRows[i] ?? fail('no sink row'));
        });
        if (column && columnStart) f.set(column, columnStart);
        f.set(left, all);
        for (const parts of steps) {
          const lanes = lanesOf(parts);
          f.block((end) => {
            f.brIf(end, i32.lt_u(left, i32.const(lanes)));
            f.loop((top) => {
              group(together, parts);
              for (const p of walked) if (p.column !== p.row) advance(p.column, lanes, p.stream.strides[columnAxis]);
              for (const c of sinkColumns) f.inc(c, lanes * 4);
              if (column) f.inc(column, lanes);
              f.inc(left, -lanes);
              f.brIf(top, i32.ge_u(left, i32.const(lanes)));
            });
          });
        }
      };
      const advance = (local: Local, elements: number, stride = 0): void => f.inc(local, elements * stride * 4);
      const group = (together: number, parts: Parts): void => {
        const order = storeOrder(parts);
        const reduced = new Map<string, Expr>();
        for (let row = 0; row < together; row++) {
          // All values before the first store: an output may lie where an input does.
          const written = nest.stores.map((s) =>
            storeOrder(parts, true).map((p) => body.value(s.value, row, p, parts)),
          );
          nest.reductions.forEach((r, j) => {
            for (const p of storeOrder(parts, true))
              reduced.set(`${j} ${row} ${p}`, body.value(r.value, row, p, parts));
          });
          stores.forEach((p, i) => {
            for (const part of order) write(f, p, row, part, parts, written[i]?.[part] ?? fail('no value'));
          });
        }
        sink?.take(context, {
          rows: together,
          parts,
          value: (j, row, part) => reduced.get(`${j} ${row} ${part}`) ?? fail('no value'),
        });
        body.release();
      };

      body.hoistConstants();
      sink?.begin(context);
      for (const together of rowsTogether > 1 ? [rowsTogether, 1] : [1]) {
        f.block((end) => {
          f.brIf(end, i32.lt_u(rows, i32.const(together)));
          f.loop((top) => {
            body.hoistRows(together);
            columnLoops(together);
            body.releaseRows();
            const rowAxis = columnAxis - 1;
            for (const p of walked) if (p.stream.strides[rowAxis]) advance(p.row, together, p.stream.strides[rowAxis]);
            const rowStart = starts[indexed.indexOf(rowAxis)];
            if (rowStart) f.inc(rowStart, together);
            f.inc(rows, -together);
            f.brIf(top, i32.ge_u(rows, i32.const(together)));
          });
        });
      }
      sink?.end(context);
    });
    this.functions.push(func);
  }
}

/** The order in which the vectors of a step are stored: the high half of each pair first, as the revectoriser wants. */
export function storeOrder(parts: Parts, ascending = false): number[] {
  if (parts < 2) return [0];
  return Array.from({ length: parts }, (_, i) => (ascending ? i : i ^ 1));
}

/** Hot code needs vectors that lie in memory as they are used. */
export function isHot(nest: Nest): boolean {
  const column = nest.axes.length - 1;
  return (
    [...liveInputs(nest)].every((i) => [0, 1].includes(nest.inputs[i]?.strides[column] ?? 0)) &&
    nest.stores.every((s) => s.strides[column] === 1)
  );
}

/** Stores vector `part` (or its first lane) of row `row`. */
function write(f: Func, pointer: Pointer, row: number, part: number, parts: Parts, value: Expr): void {
  const { strides } = pointer.stream;
  const stride = strides[strides.length - 1] ?? 0;
  const bytes = row * (strides[strides.length - 2] ?? 0) * 4 + part * 16 * stride;
  const [address, offset] = at(pointer.column, bytes);
  if (parts === 0) f.push(v128.store32_lane(address, value, 0, offset));
  else if (stride === 1) f.push(v128.store(address, value, offset));
  else {
    const vector = f.local('v128');
    f.set(vector, value);
    for (let lane = 0; lane < 4; lane++) {
      const [a, o] = at(pointer.column, bytes + lane * stride * 4);
      f.push(v128.store32_lane(a, vector, lane, o));
    }
  }
}

function fail(what: string): never {
  throw new Error(`internal: loop tile: ${what}`);
}
