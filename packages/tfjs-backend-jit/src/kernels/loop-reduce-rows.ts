/**
 * Reductions whose vectors run along a kept axis: batch statistics and bias gradients over [rows, channels],
 * average pooling over [image, pixels, channels]. Axes come as [kept…, reduced…, kept channels].
 */
import { type Expr, i32 } from '../wasm/assembler.ts';
import type { Features, Kernel, Recipe, Ref } from './kernel.ts';
import { input, output, temp } from './kernel.ts';
import { fillIdentity, RowSink } from './loop-accumulate.ts';
import { combineKernel } from './loop-combine.ts';
import { type LoopNames, traffic } from './loop-cost.ts';
import { evenBlock, MAX_PIECES } from './loop-elementwise.ts';
import { fingerprint, type Nest, type Stream } from './loop-nest.ts';
import { Coordinates, cutAxis, forTasks, taskCount, withOffset } from './loop-tasks.ts';
import { Tile, tileScratch } from './loop-tile.ts';

/** Rows folded in f32 before a partial row is written; four go together, so at most 128 additions in a chain. */
const MAX_ROWS = 512;
/** Columns per unit: the rows being folded into stay in the first-level cache. */
const MAX_COLUMNS = 1024;
const ROWS_TOGETHER = 4;

export function reduceRows(nest: Nest, names: LoopNames, features: Features): Recipe {
  const { elements, grain, flops, bytes } = traffic(nest);
  const { reductions } = nest;
  const last = nest.axes.length - 1;
  const firstReduced = nest.axes.findIndex((a) => a.reduced);
  const columns = nest.axes[last]?.size ?? 1;
  const columnCut = cutAxis(nest, last, evenBlock(columns, MAX_COLUMNS, 16));
  const kept = [...nest.axes.slice(0, firstReduced).map((_, a) => cutAxis(nest, a, 1)), columnCut];
  const places = taskCount(kept);
  const rows = nest.axes.slice(firstReduced, last).reduce((n, a) => n * a.size, 1);
  // Enough units to share out, but no more partial rows than that and the precision ask for.
  const wanted = Math.min(MAX_PIECES, Math.ceil(elements / grain));
  const share = places >= wanted / 2 ? rows : Math.ceil((rows * places) / wanted);
  const rowsPerUnit = Math.min(MAX_ROWS, Math.max(share, ROWS_TOGETHER));
  const innerRows = nest.axes[last - 1]?.size ?? 1;
  const rowBlock = evenBlock(innerRows, rowsPerUnit, ROWS_TOGETHER);
  const reduced = nest.axes.slice(firstReduced, last).map((_, i) => {
    const a = firstReduced + i;
    return cutAxis(nest, a, a === last - 1 ? rowBlock : 1);
  });
  const tasks = taskCount(reduced);
  const perGroup = Math.max(1, Math.floor(rowsPerUnit / rowBlock));
  const count = Math.ceil(tasks / perGroup);
  const units = places * count;
  const perPiece = Math.max(Math.ceil(units / MAX_PIECES), Math.floor((grain / elements) * units), 1);
  const rowsTogether = flops > 48 ? 1 : ROWS_TOGETHER;
  const buffers = nest.inputs.length + nest.stores.length + reductions.length;
  const kernel: Kernel = {
    name: names.name,
    key: `loop rows ${features.relaxed ? 'r' : ''}${fingerprint(nest, columnCut.block, rowBlock, perGroup, perPiece)}`,
    buffers,
    pieces: Math.ceil(units / perPiece),
    scratch: tileScratch(nest, rowsTogether),
    flops: flops * elements,
    bytes,
    emit(module) {
      const tile = new Tile(module, nest, columns, {
        relaxed: features.relaxed,
        rowsTogether,
        parts: 2,
        sink: () => new RowSink(reductions),
      });
      module.func('k', new Array<'i32'>(2 + buffers).fill('i32'), [], (f) => {
        const atKept = new Coordinates(f, kept);
        const atReduced = new Coordinates(f, reduced);
        const group = f.local('i32');
        const place = f.local('i32');
        const pointer = (index: number) => f.param(2 + index);
        const address = (base: Expr, stream: Stream | undefined) => {
          if (!stream) throw new Error('internal: loop has no such stream');
          return withOffset(atReduced.address(atKept.address(base, stream), stream), stream.offset);
        };
        // Partial rows lie as [kept, groups, columns], results as [kept, columns].
        const target = reductions.map(() => f.local('i32'));
        forTasks(f, f.param(0), perPiece, units, (unit) => {
          f.set(place, count === 1 ? unit : i32.div_u(unit, i32.const(count)));
          f.set(group, count === 1 ? i32.const(0) : i32.rem_u(unit, i32.const(count)));
          atKept.decode(place);
          const outer = i32.div_u(place, i32.const(columnCut.blocks));
          const row = i32.add(i32.mul(outer, i32.const(count)), group);
          const element = i32.add(i32.mul(row, i32.const(columns)), atKept.start(last));
          reductions.forEach(({ fn }, j) => {
            const local = target[j] ?? f.local('i32');
            const base = pointer(nest.inputs.length + nest.stores.length + j);
            f.set(local, i32.add(base, i32.shl(element, i32.const(2))));
            fillIdentity(f, fn, local, atKept.count(last));
          });
          forTasks(f, group, perGroup, tasks, (task) => {
            atReduced.decode(task);
            tile.call(f, {
              scratch: f.param(1),
              rows: atReduced.count(last - 1),
              columns: atKept.count(last),
              coordinate: (axis) => (axis < firstReduced || axis === last ? atKept : atReduced).start(axis),
              input: (i) => address(pointer(i), nest.inputs[i]),
              store: (i) => address(pointer(nest.inputs.length + i), nest.stores[i]),
              pointers: target,
            });
          });
        });
      });
    },
  };
  const plain: Ref[] = [...nest.inputs.map((_, i) => input(i)), ...nest.stores.map((_, i) => output(i))];
  const results = reductions.map((_, j) => output(nest.stores.length + j));
  if (count === 1) return { temps: [], steps: [{ kernel, args: [...plain, ...results] }] };
  const outer = places / columnCut.blocks;
  const partials = reductions.map((_, j) => temp(j));
  const combine = combineKernel(reductions, { outer, count, inner: columns, held: 'element' });
  return {
    temps: reductions.map(() => outer * count * columns * 4),
    steps: [
      { kernel, args: [...plain, ...partials] },
      { kernel: combine, args: [...partials, ...results] },
    ],
  };
}
