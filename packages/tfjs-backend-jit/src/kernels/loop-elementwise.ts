/**
 * Loops without reductions: every piece is a run of tiles that load, compute and store.
 */
import { i32 } from '../wasm/assembler.ts';
import type { Features, Kernel } from './kernel.ts';
import { type LoopNames, traffic } from './loop-cost.ts';
import { fingerprint, type Nest } from './loop-nest.ts';
import { Coordinates, cutAxis, forTasks, taskCount, withOffset } from './loop-tasks.ts';
import { isHot, Tile, tileScratch } from './loop-tile.ts';

/** At most so many pieces: enough to balance threads, few enough to hand out cheaply. */
export const MAX_PIECES = 64;
/** Columns per tile where inputs are gathered: a tile's cache lines must survive until the next row uses them. */
const GATHER_COLUMNS = 128;

export function elementwiseKernel(nest: Nest, names: LoopNames, features: Features): Kernel {
  const { elements, grain, flops, bytes } = traffic(nest);
  const last = nest.axes.length - 1;
  const columns = nest.axes[last]?.size ?? 1;
  const rows = nest.axes[last - 1]?.size ?? 1;
  const columnBlock = isHot(nest) ? evenBlock(columns, grain, 16) : Math.min(columns, GATHER_COLUMNS);
  const rowBlock = evenBlock(rows, Math.max(1, Math.floor(grain / columnBlock)), 1);
  const cuts = nest.axes.map((_, a) => cutAxis(nest, a, a === last ? columnBlock : a === last - 1 ? rowBlock : 1));
  const tasks = taskCount(cuts);
  const perPiece = Math.max(Math.ceil(tasks / MAX_PIECES), Math.floor(grain / (columnBlock * rowBlock)), 1);
  const buffers = nest.inputs.length + nest.stores.length;
  return {
    name: names.name,
    key: `loop map ${features.relaxed ? 'r' : ''}${fingerprint(nest, columnBlock, rowBlock, perPiece)}`,
    buffers,
    pieces: Math.ceil(tasks / perPiece),
    scratch: tileScratch(nest, 1),
    flops: flops * elements,
    bytes,
    emit(module) {
      const tile = new Tile(module, nest, columns, { relaxed: features.relaxed, rowsTogether: 1, parts: 2 });
      module.func('k', new Array<'i32'>(2 + buffers).fill('i32'), [], (f) => {
        const at = new Coordinates(f, cuts);
        const pointer = (index: number) => f.param(2 + index);
        forTasks(f, f.param(0), perPiece, tasks, (task) => {
          at.decode(task);
          tile.call(f, {
            scratch: f.param(1),
            rows: last > 0 ? at.count(last - 1) : i32.const(1),
            columns: at.count(last),
            coordinate: (axis) => at.start(axis),
            input: (i) => {
              const stream = nest.inputs[i];
              if (!stream) throw new Error(`internal: loop has no input ${i}`);
              return withOffset(at.address(pointer(i), stream), stream.offset);
            },
            store: (i) => {
              const stream = nest.stores[i];
              if (!stream) throw new Error(`internal: loop has no store ${i}`);
              return withOffset(at.address(pointer(nest.inputs.length + i), stream), stream.offset);
            },
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
