/**
 * Emits the body of a loop for a group of points: some rows × some vectors of four lanes.
 * Values that do not change along the vector axis are computed once, before the loop over columns.
 */
import { type Expr, type Func, i32, i32x4, Local, v128 } from '../wasm/assembler.ts';
import type { Nest, Stream } from './loop-nest.ts';
import { liveNodes, rootsOf } from './loop-nest.ts';
import type { BodyNode } from './loop-spec.ts';
import { apply, inForm, type Vector } from './scalar-functions.ts';
import type { Scope } from './scalar-math.ts';

/** The v128 locals of one function: taken for one group of points, cleared at its end, and taken again. */
export class VectorLocals implements Scope {
  readonly relaxed: boolean;
  private readonly f: Func;
  private readonly free: Local[] = [];
  private taken: Local[] = [];
  /** Never assigned: all zeros. */
  readonly clear: Local;

  constructor(f: Func, relaxed: boolean) {
    this.f = f;
    this.relaxed = relaxed;
    this.clear = f.local('v128');
  }

  let(value: Expr): Local {
    if (value instanceof Local) return value;
    const local = this.free.pop() ?? this.f.local('v128');
    this.taken.push(local);
    this.f.set(local, value);
    return local;
  }

  /** Ends a group: a local that is still set at a loop's end would hold its value for the next round. */
  release(): void {
    for (const local of this.taken) this.f.set(local, this.clear);
    this.free.push(...this.taken.reverse());
    this.taken = [];
  }
}

/** A pointer parameter and the stream that it walks. */
export interface Pointer {
  /** At the current row, first column. */
  readonly row: Local;
  /** At the current column. */
  readonly column: Local;
  readonly stream: Stream;
}

/** What the body needs to know of the loops around it. */
export interface Surroundings {
  readonly f: Func;
  readonly nest: Nest;
  readonly locals: VectorLocals;
  readonly inputs: ReadonlyMap<number, Pointer>;
  /** The coordinate of each indexed axis at the current row and column. */
  readonly coordinates: ReadonlyMap<number, Local>;
  readonly scratch: Local;
}

/** Along which of the two innermost axes a value changes. */
interface Varies {
  readonly row: boolean;
  readonly column: boolean;
}

/** Lanes of a column step: `parts` vectors of four, or a single lane when 0. */
export type Parts = number;
export const lanesOf = (parts: Parts): number => (parts === 0 ? 1 : parts * 4);

/** `address + bytes`, as a memory offset where it is not negative. */
export function at(address: Expr, bytes: number): [Expr, number] {
  return bytes >= 0 ? [address, bytes] : [i32.add(address, i32.const(bytes)), 0];
}

/** `v128.load32_lane`: replaces one lane of `vector` by a word of memory. */
function loadLane(address: Expr, offset: number, vector: Expr, lane: number): Expr {
  return {
    emit: (out) => {
      address.emit(out);
      vector.emit(out);
      out.byte(0xfd);
      out.u(0x56);
      out.u(2);
      out.u(offset);
      out.byte(lane);
    },
  };
}

/** Four elements `stride` elements apart. */
export function gather(address: Expr, bytes: number, stride: number): Expr {
  let vector: Expr = v128.load32_zero(...at(address, bytes));
  for (let lane = 1; lane < 4; lane++) {
    vector = loadLane(...at(address, bytes + lane * stride * 4), vector, lane);
  }
  return vector;
}

export class Body {
  private readonly around: Surroundings;
  private readonly live: readonly number[];
  private readonly varies: Varies[] = [];
  private readonly uses: number[] = [];
  private readonly memo = new Map<string, Vector>();
  private readonly hoisted = new Map<string, Vector>();
  private readonly rowAxis: number;
  private readonly columnAxis: number;
  private slots = 0;
  private rowLocals: Local[] = [];
  private readonly rowKeys: string[] = [];

  constructor(around: Surroundings) {
    this.around = around;
    const { nest } = around;
    this.columnAxis = nest.axes.length - 1;
    this.rowAxis = nest.axes.length - 2;
    const roots = rootsOf(nest);
    this.live = [...liveNodes(nest.body, roots)].sort((a, b) => a - b);
    for (const root of roots) this.uses[root] = (this.uses[root] ?? 0) + 1;
    for (const index of this.live) {
      const node = this.node(index);
      this.varies[index] = this.variation(node);
      if (node.kind === 'apply') for (const arg of node.args) this.uses[arg] = (this.uses[arg] ?? 0) + 1;
    }
  }

  /** Computes what stays the same for all rows. Call before the loop over rows. */
  hoistConstants(): void {
    this.hoist(1, (v) => !v.row);
  }

  /** Computes what stays the same along `rows` rows each. Call before the loops over columns. */
  hoistRows(rows: number): void {
    this.hoist(rows, (v) => v.row);
  }

  /** Forgets what `hoistRows` computed. Call at the end of the loop over rows. */
  releaseRows(): void {
    for (const local of this.rowLocals) this.around.f.set(local, this.around.locals.clear);
    this.rowLocals = [];
    for (const key of this.rowKeys.splice(0)) this.hoisted.delete(key);
  }

  /** Forgets the last group. Call at the end of each group. */
  release(): void {
    this.memo.clear();
    this.around.locals.release();
  }

  /** The value of a node at the current columns of row `row` (0 … rows − 1), vector `part`, as number or 0/1. */
  value(index: number, row: number, part: number, parts: Parts): Expr {
    return inForm(this.vector(index, row, part, parts), 'value');
  }

  private node(index: number): BodyNode {
    const node = this.around.nest.body[index];
    if (node === undefined) throw new Error(`internal: loop body has no value ${index}`);
    return node;
  }

  private variation(node: BodyNode): Varies {
    switch (node.kind) {
      case 'const':
        return { row: false, column: false };
      case 'index':
        return { row: node.axis === this.rowAxis, column: node.axis === this.columnAxis };
      case 'load': {
        const strides = this.around.nest.inputs[node.input]?.strides ?? [];
        return { row: (strides[this.rowAxis] ?? 0) !== 0, column: (strides[this.columnAxis] ?? 0) !== 0 };
      }
      case 'apply': {
        const of = (key: 'row' | 'column') => node.args.some((arg) => this.varies[arg]?.[key] === true);
        return { row: of('row'), column: of('column') };
      }
    }
  }

  /** Values that the loop over columns takes from outside: constant along it, used by something that is not. */
  private hoist(rows: number, wanted: (v: Varies) => boolean): void {
    const { f, nest, locals, scratch } = this.around;
    const roots = new Set(rootsOf(nest));
    const usedInside = new Set<number>();
    for (const index of this.live) {
      const node = this.node(index);
      if (this.varies[index]?.column && node.kind === 'apply') for (const arg of node.args) usedInside.add(arg);
    }
    for (const index of this.live) {
      const node = this.node(index);
      const varies = this.varies[index] ?? { row: false, column: false };
      if (varies.column || !wanted(varies) || node.kind === 'const') continue;
      if (!usedInside.has(index) && !roots.has(index)) continue;
      for (let row = 0; row < rows; row++) {
        const vector = this.vector(index, row, 0, 1);
        let expr = vector.expr;
        if (node.kind !== 'load') {
          // The revectoriser pairs one splatted load with itself, but no other value.
          const slot = this.slots++ * 4;
          f.push(v128.store32_lane(scratch, expr, 0, slot));
          expr = v128.load32_splat(scratch, slot);
        }
        const local = f.local('v128');
        f.set(local, expr);
        const key = `${index} ${row}`;
        if (varies.row) {
          this.rowLocals.push(local);
          this.rowKeys.push(key);
        }
        this.hoisted.set(key, { expr: local, form: vector.form });
      }
    }
    this.memo.clear();
    locals.release();
  }

  private vector(index: number, row: number, part: number, parts: Parts): Vector {
    const node = this.node(index);
    if (node.kind === 'const') {
      const { value } = node;
      return { expr: node.lane === 'f32' ? v128.const_f32x4(value) : v128.const_i32x4(value), form: 'value' };
    }
    const varies = this.varies[index] ?? { row: true, column: true };
    const r = varies.row ? row : 0;
    const found = this.hoisted.get(`${index} ${r}`) ?? this.memo.get(`${index} ${r} ${part}`);
    if (found) return found;
    const made = this.compute(node, r, part, parts);
    const shared = (this.uses[index] ?? 0) > 1 || r !== row || !varies.row || node.kind === 'load';
    if (!shared) return made;
    const kept = { expr: this.around.locals.let(made.expr), form: made.form };
    this.memo.set(`${index} ${r} ${part}`, kept);
    return kept;
  }

  private compute(node: Exclude<BodyNode, { kind: 'const' }>, row: number, part: number, parts: Parts): Vector {
    switch (node.kind) {
      case 'load':
        return { expr: this.load(node.input, row, part, parts), form: 'value' };
      case 'index':
        return { expr: this.index(node.axis, row, part), form: 'value' };
      case 'apply': {
        const args = node.args.map((arg) => this.vector(arg, row, part, parts));
        return apply(this.around.locals, node.fn, args);
      }
    }
  }

  private load(input: number, row: number, part: number, parts: Parts): Expr {
    const pointer = this.around.inputs.get(input);
    if (pointer === undefined) throw new Error(`internal: loop input ${input} has no pointer`);
    const { strides } = pointer.stream;
    const stride = strides[this.columnAxis] ?? 0;
    const rowBytes = row * (strides[this.rowAxis] ?? 0) * 4;
    if (stride === 0) return v128.load32_splat(...at(pointer.row, rowBytes));
    if (parts === 0) return v128.load32_zero(...at(pointer.column, rowBytes));
    const bytes = rowBytes + part * 16 * stride;
    if (stride === 1) return v128.load(...at(pointer.column, bytes));
    if (stride === -1) {
      const reversed = v128.load(...at(pointer.column, bytes - 12));
      return v128.shuffle32(reversed, reversed, [3, 2, 1, 0]);
    }
    return gather(pointer.column, bytes, stride);
  }

  private index(axis: number, row: number, part: number): Expr {
    const coordinate = this.around.coordinates.get(axis);
    if (coordinate === undefined) throw new Error(`internal: loop axis ${axis} has no coordinate`);
    if (axis === this.columnAxis) {
      const first = part * 4;
      return i32x4.add(i32x4.splat(coordinate), v128.const_i32x4(first, first + 1, first + 2, first + 3));
    }
    return i32x4.splat(axis === this.rowAxis ? i32.add(coordinate, i32.const(row)) : coordinate);
  }
}
