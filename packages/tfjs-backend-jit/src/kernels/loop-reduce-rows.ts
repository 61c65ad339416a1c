/**
 * Reductions whose vectors run along a kept axis: batch statistics and bias gradients over [rows, channels],
 * average pooling over [image, pixels, channels]. Axes come as [kept…, reduced…, kept channels].
 */
import { i32 } from '../wasm/assembler.ts';
import type { Features, Kernel, Recipe, Ref } from './kernel.ts';
import { input, output, temp } from './kernel.ts';
import { fillIdentity, RowSink } from './loop-accumulate.ts';
import { definePrologue, hoistColumns, Pointers, preparedScratch } from './loop-columns.ts';
import { combineKernel } from './loop-combine.ts';
import { traffic } from './loop-cost.ts';
import { evenBlock, MAX_PIECES } from './loop-elementwise.ts';
import { fingerprint, liveInputs, type Nest } from './loop-nest.ts';
import { Coordinates, cutAxis, forTasks, taskCount } from './loop-tasks.ts';
import { Tile } from './loop-tile.ts';

/** Rows folded in f32 before a partial row is written; partial rows meet in f64. */
const MAX_ROWS = 256;
/** Columns per unit: the rows being folded into stay in the first-level cache. */
const MAX_COLUMNS = 1024;
const MIN_ROWS = 4;

export function reduceRows(given: Nest, name: string, features: Features): Recipe {
  const { elements, grain, flops, bytes } = traffic(given);
  const prepared = hoistColumns(given);
  const { nest, copies } = prepared;
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
  const rowsPerUnit = Math.min(MAX_ROWS, Math.max(share, MIN_ROWS));
  const innerRows = nest.axes[last - 1]?.size ?? 1;
  const rowBlock = evenBlock(innerRows, rowsPerUnit, MIN_ROWS);
  const reduced = nest.axes.slice(firstReduced, last).map((_, i) => {
    const a = firstReduced + i;
    return cutAxis(nest, a, a === last - 1 ? rowBlock : 1);
  });
  const tasks = taskCount(reduced);
  const perGroup = Math.max(1, Math.floor(rowsPerUnit / rowBlock));
  const count = Math.ceil(tasks / perGroup);
  const units = places * count;
  const perPiece = Math.max(Math.ceil(units / MAX_PIECES), Math.floor((grain / elements) * units), 1);
  const together = rowsTogether(nest, flops);
  const scratch = preparedScratch(prepared, together);
  // One partial row may hold several rows side by side.
  const direct = count * copies === 1;
  const buffers = prepared.inputs + nest.stores.length + reductions.length;
  const kernel: Kernel = {
    name,
    key: `loop rows ${features.relaxed ? 'r' : ''}${fingerprint(given, columnCut.block, rowBlock, perGroup, perPiece)}`,
    buffers,
    pieces: Math.ceil(units / perPiece),
    scratch: scratch.bytes,
    flops: flops * elements,
    bytes,
    emit(module) {
      const prologue = definePrologue(module, prepared, scratch.rows, features.relaxed);
      const tile = new Tile(module, nest, columns, {
        relaxed: features.relaxed,
        rowsTogether: together,
        parts: 2,
        sink: () => new RowSink(reductions),
      });
      module.func('k', new Array<'i32'>(2 + buffers).fill('i32'), [], (f) => {
        const atKept = new Coordinates(f, kept);
        const atReduced = new Coordinates(f, reduced);
        const group = f.local('i32');
        const place = f.local('i32');
        const pointers = new Pointers(f, prepared, scratch.rows, [atKept, atReduced]);
        prologue(f, f.param(1), (i) => f.param(2 + i));
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
            f.set(local, i32.add(pointers.reduction(j), i32.shl(element, i32.const(2))));
            fillIdentity(f, fn, local, atKept.count(last));
          });
          forTasks(f, group, perGroup, tasks, (task) => {
            atReduced.decode(task);
            tile.call(f, {
              scratch: f.param(1),
              rows: atReduced.count(last - 1),
              columns: atKept.count(last),
              coordinate: (axis) => (axis < firstReduced || axis === last ? atKept : atReduced).start(axis),
              input: (i) => pointers.input(i),
              store: (i) => pointers.store(i),
              pointers: target,
            });
          });
        });
      });
    },
  };
  const plain: Ref[] = [...given.inputs.map((_, i) => input(i)), ...nest.stores.map((_, i) => output(i))];
  const results = reductions.map((_, j) => output(nest.stores.length + j));
  if (direct) return { temps: [], steps: [{ kernel, args: [...plain, ...results] }] };
  const outer = places / columnCut.blocks;
  const partials = reductions.map((_, j) => temp(j));
  const combine = combineKernel(reductions, {
    outer,
    count: count * copies,
    inner: columns / copies,
    held: 'element',
  });
  return {
    temps: reductions.map(() => outer * count * columns * 4),
    steps: [
      { kernel, args: [...plain, ...partials] },
      { kernel: combine, args: [...partials, ...results] },
    ],
  };
}

/**
 * Rows folded before the row in memory is touched. Wide rows go one by one: several streams a power of two apart
 * share cache sets, and halved the speed at 128 channels and more. Narrow ones hide the store's way back to the load.
 */
function rowsTogether(nest: Nest, cost: number): number {
  const columns = nest.axes[nest.axes.length - 1]?.size ?? 1;
  const rowAxis = nest.axes.length - 2;
  if (columns > 64 || cost > 48) return 1;
  const streams = [...liveInputs(nest)].filter((i) => (nest.inputs[i]?.strides[rowAxis] ?? 0) !== 0).length;
  return columns <= 32 && streams <= 1 ? 4 : 2;
}
