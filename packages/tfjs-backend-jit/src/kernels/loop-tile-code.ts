/**
 * The code of one tile function: the loops over rows and columns around a body, and the walking of pointers.
 * Parameters: scratch, rows, columns, start coordinates of indexed axes, inputs, stores, pointers of the sink.
 */
import { type Expr, type Func, i32, type Local, v128 } from '../wasm/assembler.ts';
import { at, Body, lanesOf, type Parts, type Pointer, VectorLocals } from './loop-body.ts';
import type { Nest, Stream } from './loop-nest.ts';

/** Where the values of reductions go; the values of stores go to the nest's streams. */
export interface Sink {
  /** Pointers that the function takes besides those of the nest; they advance by one element per column. */
  readonly pointers: number;
  /** Before the loop over rows. */
  begin(context: SinkContext): void;
  /** Takes the values of one group of points. */
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

/** Some rows × one step of columns. */
export interface Group {
  readonly rows: number;
  readonly parts: Parts;
  /** The value of a reduction's argument. */
  value(reduction: number, row: number, part: number): Expr;
}

/** Which of a function's columns its loops cover. */
export type Range = (columns: Expr) => { readonly from: Expr; readonly count: Expr };

export interface TileShape {
  readonly nest: Nest;
  /** The inputs and the indexed axes that the function has parameters for, in order. */
  readonly inputs: readonly number[];
  readonly indexed: readonly number[];
  /** Vectors per step of each loop over columns; the loops follow each other. */
  readonly steps: readonly Parts[];
  readonly rowsTogether: number;
  readonly range: Range;
  readonly relaxed: boolean;
  readonly sink: Sink | undefined;
}

/** How many parameters the function has. */
export const parameterCount = ({ nest, inputs, indexed, sink }: TileShape): number =>
  3 + indexed.length + inputs.length + nest.stores.length + (sink?.pointers ?? 0);

export class TileCode {
  private readonly f: Func;
  private readonly tile: TileShape;
  private readonly rowAxis: number;
  private readonly columnAxis: number;
  private readonly rows: Local;
  /** Columns of one row, and those still to do. */
  private readonly count: Local;
  private readonly left: Local;
  /** Coordinates by axis, at the current row and column. */
  private readonly coordinates: ReadonlyMap<number, Local>;
  /** The first column's coordinate, if the body reads it. */
  private readonly firstColumn: Local | undefined;
  private readonly inputs: ReadonlyMap<number, Pointer>;
  private readonly stores: readonly Pointer[];
  /** Pointers of the sink: at the first column, and at the current one. */
  private readonly sinkStarts: readonly Local[];
  private readonly context: SinkContext;
  private readonly body: Body;

  constructor(f: Func, tile: TileShape) {
    const { nest, indexed } = tile;
    this.f = f;
    this.tile = tile;
    this.columnAxis = nest.axes.length - 1;
    this.rowAxis = nest.axes.length - 2;
    let next = 0;
    const take = (): Local => f.param(next++);
    const scratch = take();
    this.rows = take();
    const { from: first, count } = tile.range(take());
    const from = f.local('i32');
    this.count = f.local('i32');
    this.left = f.local('i32');
    f.set(from, first);
    f.set(this.count, count);
    const starts = new Map(indexed.map((axis) => [axis, take()]));
    this.firstColumn = starts.get(this.columnAxis);
    if (this.firstColumn) {
      f.inc(this.firstColumn, from);
      starts.set(this.columnAxis, f.local('i32'));
    }
    this.coordinates = starts;
    const pointer = (stream: Stream): Pointer => {
      const row = take();
      const stride = this.columnStride(stream);
      if (stride === 0) return { row, column: row, stream };
      f.inc(row, i32.mul(from, i32.const(stride * 4)));
      return { row, column: f.local('i32'), stream };
    };
    this.inputs = new Map(tile.inputs.map((i) => [i, pointer(nest.inputs[i] ?? fail('no input'))]));
    this.stores = nest.stores.map(pointer);
    this.sinkStarts = Array.from({ length: tile.sink?.pointers ?? 0 }, take);
    for (const start of this.sinkStarts) f.inc(start, i32.shl(from, i32.const(2)));
    const locals = new VectorLocals(f, tile.relaxed);
    this.context = { f, locals, scratch, pointers: this.sinkStarts.map(() => f.local('i32')) };
    this.body = new Body({ f, nest, locals, inputs: this.inputs, coordinates: this.coordinates, scratch });
  }

  /** Emits the whole function. */
  emit(): void {
    const { rowsTogether, sink } = this.tile;
    this.body.hoistConstants();
    sink?.begin(this.context);
    for (const together of rowsTogether > 1 ? [rowsTogether, 1] : [1]) {
      this.whileLeft(this.rows, together, () => {
        this.body.hoistRows(together);
        this.rowGroup(together);
        this.body.releaseRows();
        for (const p of this.walked()) this.advance(p.row, together * (p.stream.strides[this.rowAxis] ?? 0));
        const row = this.coordinates.get(this.rowAxis);
        if (row) this.f.inc(row, together);
      });
    }
    sink?.end(this.context);
  }

  /** Takes `step` from `left` as often as it can, and runs `round` each time. */
  private whileLeft(left: Local, step: number, round: () => void): void {
    const { f } = this;
    f.block((end) => {
      f.brIf(end, i32.lt_u(left, i32.const(step)));
      f.loop((top) => {
        round();
        f.inc(left, -step);
        f.brIf(top, i32.ge_u(left, i32.const(step)));
      });
    });
  }

  /** All columns of `together` rows. */
  private rowGroup(together: number): void {
    const { f, context } = this;
    for (const p of this.walked()) if (p.column !== p.row) f.set(p.column, p.row);
    context.pointers.forEach((column, i) => {
      f.set(column, this.sinkStarts[i] ?? fail('no pointer'));
    });
    const column = this.coordinates.get(this.columnAxis);
    if (column && this.firstColumn) f.set(column, this.firstColumn);
    f.set(this.left, this.count);
    for (const parts of this.tile.steps) {
      const lanes = lanesOf(parts);
      this.whileLeft(this.left, lanes, () => {
        this.group(together, parts);
        for (const p of this.walked())
          if (p.column !== p.row) this.advance(p.column, lanes * this.columnStride(p.stream));
        for (const pointer of context.pointers) this.advance(pointer, lanes);
        if (column) f.inc(column, lanes);
      });
    }
  }

  /** The body for `together` rows × one step of columns. */
  private group(together: number, parts: Parts): void {
    const { nest, sink } = this.tile;
    const values = new Map<string, Expr>();
    for (let row = 0; row < together; row++) {
      // All values of a row before its first store: an output may lie where an input does.
      const all = [...nest.stores, ...nest.reductions].map(({ value }) =>
        partsAscending(parts).map((part) => this.body.value(value, row, part, parts)),
      );
      all.forEach((vectors, i) => {
        vectors.forEach((vector, part) => {
          values.set(`${i} ${row} ${part}`, vector);
        });
      });
      this.stores.forEach((pointer, i) => {
        for (const part of storeOrder(parts)) this.store(pointer, row, part, parts, all[i]?.[part] ?? fail('no value'));
      });
    }
    sink?.take(this.context, {
      rows: together,
      parts,
      value: (j, row, part) => values.get(`${nest.stores.length + j} ${row} ${part}`) ?? fail('no value'),
    });
    this.body.release();
  }

  /** Stores a vector (or, without parts, its first lane). */
  private store({ column, stream }: Pointer, row: number, part: number, parts: Parts, value: Expr): void {
    const { f } = this;
    const stride = this.columnStride(stream);
    const bytes = row * (stream.strides[this.rowAxis] ?? 0) * 4 + part * 16 * stride;
    const [address, offset] = at(column, bytes);
    if (parts === 0) f.push(v128.store32_lane(address, value, 0, offset));
    else if (stride === 1) f.push(v128.store(address, value, offset));
    else {
      const vector = f.local('v128');
      f.set(vector, value);
      for (let lane = 0; lane < 4; lane++) {
        const [a, o] = at(column, bytes + lane * stride * 4);
        f.push(v128.store32_lane(a, vector, lane, o));
      }
    }
  }

  private walked(): Pointer[] {
    return [...this.inputs.values(), ...this.stores];
  }

  private columnStride(stream: Stream): number {
    return stream.strides[this.columnAxis] ?? 0;
  }

  private advance(pointer: Local, elements: number): void {
    if (elements !== 0) this.f.inc(pointer, elements * 4);
  }
}

/** The order in which the vectors of a step are stored: the high half of each pair first, as the revectoriser wants. */
export function storeOrder(parts: Parts): number[] {
  return parts < 2 ? [0] : partsAscending(parts).map((part) => part ^ 1);
}

export const partsAscending = (parts: Parts): number[] => Array.from({ length: Math.max(parts, 1) }, (_, i) => i);

function fail(what: string): never {
  throw new Error(`internal: loop tile: ${what}`);
}
