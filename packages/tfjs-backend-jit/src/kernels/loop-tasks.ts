/**
 * Cuts an iteration space into tasks, one tile each, numbered from 0: a kernel's piece is a run of tasks.
 * A task's number gives its coordinates by divisions by constants, which are cheap.
 */
import { type Expr, type Func, i32, type Local, select } from '../wasm/assembler.ts';
import type { Nest, Stream } from './loop-nest.ts';
import { product } from './loop-nest.ts';

/** One axis, cut into blocks; the last block may be smaller. */
export interface Cut {
  readonly axis: number;
  readonly size: number;
  readonly block: number;
  readonly blocks: number;
}

export function cutAxis(nest: Nest, axis: number, block: number): Cut {
  const size = nest.axes[axis]?.size ?? 1;
  const whole = Math.max(1, Math.min(block, size));
  return { axis, size, block: whole, blocks: Math.ceil(size / whole) };
}

export const taskCount = (cuts: readonly Cut[]): number => product(cuts.map((c) => c.blocks));

/** The coordinates of the current task along some axes, from the outermost. */
export class Coordinates {
  private readonly f: Func;
  private readonly cuts: readonly Cut[];
  private readonly locals: readonly Local[];
  private readonly rest: Local;

  constructor(f: Func, cuts: readonly Cut[]) {
    this.f = f;
    this.cuts = cuts;
    this.locals = cuts.map(() => f.local('i32'));
    this.rest = f.local('i32');
  }

  /** Finds the coordinates of task `flat`. */
  decode(flat: Expr): void {
    this.f.set(this.rest, flat);
    for (let i = this.cuts.length - 1; i >= 0; i--) {
      const [cut, local] = [this.cuts[i], this.locals[i]];
      if (!cut || !local || cut.blocks === 1) continue;
      const outermost = this.cuts.slice(0, i).every((c) => c.blocks === 1);
      this.f.set(local, outermost ? this.rest : i32.rem_u(this.rest, i32.const(cut.blocks)));
      if (!outermost) this.f.set(this.rest, i32.div_u(this.rest, i32.const(cut.blocks)));
      if (cut.block !== 1) this.f.set(local, i32.mul(local, i32.const(cut.block)));
    }
  }

  /** The coordinate of the task's first point along `axis`. */
  start(axis: number): Expr {
    const i = this.cuts.findIndex((c) => c.axis === axis);
    return this.cuts[i]?.blocks === 1 ? i32.const(0) : (this.locals[i] ?? i32.const(0));
  }

  /** How many points the task has along `axis`. */
  count(axis: number): Expr {
    const cut = this.cuts.find((c) => c.axis === axis);
    if (!cut) return i32.const(1);
    if (cut.size % cut.block === 0) return i32.const(cut.block);
    const left = () => i32.sub(i32.const(cut.size), this.start(axis));
    return select(i32.const(cut.block), left(), i32.gt_u(left(), i32.const(cut.block)));
  }

  /** `base` (bytes) moved to the task's first element of `stream`, as far as these axes go. */
  address(base: Expr, stream: Stream): Expr {
    let address = base;
    for (const { axis, blocks } of this.cuts) {
      const stride = stream.strides[axis] ?? 0;
      if (stride !== 0 && blocks > 1) address = i32.add(address, i32.mul(this.start(axis), i32.const(stride * 4)));
    }
    return address;
  }
}

/** Adds a stream's fixed offset (elements) to a pointer. */
export function withOffset(base: Expr, elements: number): Expr {
  return elements === 0 ? base : i32.add(base, i32.const(elements * 4));
}

/** Runs `body` for the tasks of `piece`: `perPiece` of them, fewer in the last piece. */
export function forTasks(f: Func, piece: Expr, perPiece: number, tasks: number, body: (task: Local) => void): void {
  const task = f.local('i32');
  const end = f.local('i32');
  f.set(task, i32.mul(piece, i32.const(perPiece)));
  f.set(end, i32.add(task, i32.const(perPiece)));
  f.set(end, select(end, i32.const(tasks), i32.lt_u(end, i32.const(tasks))));
  f.for(task, task, end, 1, () => body(task));
}
