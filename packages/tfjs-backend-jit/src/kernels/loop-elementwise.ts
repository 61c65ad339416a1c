/**
 * Loops without reductions: every piece is a run of tiles that load, compute and store.
 */
import { i32 } from '../wasm/assembler.ts';
import type { Features, Kernel } from './kernel.ts';
import { definePrologue, hoistColumns, Pointers, preparedScratch } from './loop-columns.ts';
import { traffic } from './loop-cost.ts';
import { fingerprint, type Nest } from './loop-nest.ts';
import { Coordinates, cutAxis, forTasks, taskCount } from './loop-tasks.ts';
import { isHot, Tile } from './loop-tile.ts';

/** At most so many pieces: enough to balance threads, few enough to hand out cheaply. */
export const MAX_PIECES = 64;
/** Columns per tile where inputs are gathered: a tile's cache lines must survive until the next row uses them. */
const GATHER_COLUMNS = 128;

export function elementwiseKernel(given: Nest, name: string, features: Features): Kernel {
  const { elements, grain, flops, bytes } = traffic(given);
  const prepared = hoistColumns(given);
  const { nest, inputs } = prepared;
  const last = nest.axes.length - 1;
  const columns = nest.axes[last]?.size ?? 1;
  const rows = nest.axes[last - 1]?.size ?? 1;
  const columnBlock = isHot(nest) ? evenBlock(columns, grain, 16) : Math.min(columns, GATHER_COLUMNS);
  const rowBlock = evenBlock(rows, Math.max(1, Math.floor(grain / columnBlock)), 1);
  const cuts = nest.axes.map((_, a) => cutAxis(nest, a, a === last ? columnBlock : a === last - 1 ? rowBlock : 1));
  const tasks = taskCount(cuts);
  const perPiece = Math.max(Math.ceil(tasks / MAX_PIECES), Math.floor(grain / (columnBlock * rowBlock)), 1);
  const buffers = inputs + nest.stores.length;
  const scratch = preparedScratch(prepared, 1);
  return {
    name,
    key: `loop map ${features.relaxed ? 'r' : ''}${fingerprint(given, columnBlock, rowBlock, perPiece)}`,
    buffers,
    pieces: Math.ceil(tasks / perPiece),
    scratch: scratch.bytes,
    flops: flops * elements,
    bytes,
    emit(module) {
      const prologue = definePrologue(module, prepared, scratch.rows, features.relaxed);
      const tile = new Tile(module, nest, columns, { relaxed: features.relaxed, rowsTogether: 1, parts: 2 });
      module.func('k', new Array<'i32'>(2 + buffers).fill('i32'), [], (f) => {
        const at = new Coordinates(f, cuts);
        const pointers = new Pointers(f, prepared, scratch.rows, [at]);
        prologue(f, f.param(1), (i) => f.param(2 + i));
        forTasks(f, f.param(0), perPiece, tasks, (task) => {
          at.decode(task);
          tile.call(f, {
            scratch: f.param(1),
            rows: last > 0 ? at.count(last - 1) : i32.const(1),
            columns: at.count(last),
            coordinate: (axis) => at.start(axis),
            input: (i) => pointers.input(i),
            store: (i) => pointers.store(i),
            pointers: [],
          });
        });
      });
    },
  };
}

/** Cuts `size` into blocks of about `target` (a little less, never more) that are nearly equal multiples of `unit`. */
export function evenBlock(size: number, target: number, unit: number): number {
  if (size <= target) return size;
  const blocks = Math.ceil(size / target);
  return Math.min(size, Math.ceil(size / blocks / unit) * unit);
}
