/**
 * Reductions whose vectors run along a reduced axis: softmax's rows, sums over everything, and whatever fits nothing else.
 * Axes come as [kept…, reduced…]. Each unit of work folds a share of one output's points.
 */
import { type Expr, type Func, i32 } from '../wasm/assembler.ts';
import type { Features, Kernel, Recipe, Ref } from './kernel.ts';
import { input, output, temp } from './kernel.ts';
import { FOLDS, LaneSink, laneSinkScratch, resetTotals, storeResult, storeTotal, totalOf } from './loop-accumulate.ts';
import { Pointers } from './loop-columns.ts';
import { combineKernel } from './loop-combine.ts';
import { traffic } from './loop-cost.ts';
import { evenBlock, MAX_PIECES } from './loop-elementwise.ts';
import { fingerprint, type Nest, product } from './loop-nest.ts';
import { Coordinates, cutAxis, forTasks, taskCount } from './loop-tasks.ts';
import { Tile, tileScratch } from './loop-tile.ts';

/** Points per tile: 256 additions per lane of two pairs before f64 takes over. */
const TILE = 4096;

/** @param single fold point by point, in order */
export function reduceLanes(nest: Nest, name: string, features: Features, single: boolean): Recipe {
  const { elements, grain, flops, bytes } = traffic(nest);
  const { reductions } = nest;
  const last = nest.axes.length - 1;
  const firstReduced = nest.axes.findIndex((a) => a.reduced);
  const columns = nest.axes[last]?.size ?? 1;
  const columnBlock = evenBlock(columns, TILE, 16);
  // Rows of a tile must be reduced too.
  const rowsReduced = last - 1 >= firstReduced;
  const rowBlock = rowsReduced
    ? evenBlock(nest.axes[last - 1]?.size ?? 1, Math.max(1, Math.floor(TILE / columnBlock)), 1)
    : 1;
  const kept = nest.axes.slice(0, firstReduced).map((_, a) => cutAxis(nest, a, 1));
  const reduced = nest.axes.flatMap((_, a) => {
    if (a < firstReduced) return [];
    return [cutAxis(nest, a, a === last ? columnBlock : a === last - 1 ? rowBlock : 1)];
  });
  const outputs = taskCount(kept);
  const tasks = taskCount(reduced);
  // With outputs enough to share out, each is one unit; else the points of an output are shared out too.
  const wanted = Math.min(MAX_PIECES, Math.ceil(elements / grain));
  const groups = outputs >= wanted / 2 ? 1 : Math.min(tasks, Math.ceil(wanted / outputs));
  const perGroup = Math.ceil(tasks / groups);
  const count = Math.ceil(tasks / perGroup);
  const units = outputs * count;
  const perPiece = Math.max(Math.ceil(units / MAX_PIECES), Math.floor((grain / elements) * units), 1);
  const parts = reductions.length > 2 ? 2 : 4;
  const hoisted = (tileScratch(nest, 1) + 15) & ~15;
  const buffers = nest.inputs.length + nest.stores.length + reductions.length;
  const kernel: Kernel = {
    name,
    key: `loop lanes ${features.relaxed ? 'r' : ''}${fingerprint(nest, columnBlock, rowBlock, perGroup, perPiece)}`,
    buffers,
    pieces: Math.ceil(units / perPiece),
    scratch: hoisted + laneSinkScratch(reductions.length, parts),
    flops: flops * elements,
    bytes,
    emit(module) {
      const tile = new Tile(module, nest, columns, {
        relaxed: features.relaxed,
        rowsTogether: 1,
        parts,
        single,
        sink: (most) => new LaneSink(reductions, hoisted, most),
      });
      module.func('k', new Array<'i32'>(2 + buffers).fill('i32'), [], (f) => {
        const scratch = f.param(1);
        const atKept = new Coordinates(f, kept);
        const atReduced = new Coordinates(f, reduced);
        const group = f.local('i32');
        const one = f.local('i32');
        const pointers = new Pointers(f, { nest, inputs: nest.inputs.length, width: 0, copies: 1 }, 0, [
          atKept,
          atReduced,
        ]);
        forTasks(f, f.param(0), perPiece, units, (unit) => {
          f.set(one, count === 1 ? unit : i32.div_u(unit, i32.const(count)));
          f.set(group, count === 1 ? i32.const(0) : i32.rem_u(unit, i32.const(count)));
          atKept.decode(one);
          resetTotals(f, reductions, scratch, hoisted);
          forTasks(f, group, perGroup, tasks, (task) => {
            atReduced.decode(task);
            tile.call(f, {
              scratch,
              rows: rowsReduced ? atReduced.count(last - 1) : i32.const(1),
              columns: atReduced.count(last),
              coordinate: (axis) => (axis < firstReduced ? atKept : atReduced).start(axis),
              input: (i) => pointers.input(i),
              store: (i) => pointers.store(i),
              pointers: [],
            });
          });
          writeTotals(f, unit);
        });
        function writeTotals(func: Func, unit: Expr): void {
          reductions.forEach((reduction, j) => {
            const { total } = FOLDS[reduction.fn];
            const base = pointers.reduction(j);
            const value = totalOf(reduction, j, scratch, hoisted);
            const element = (size: number) => i32.add(base, i32.mul(unit, i32.const(size)));
            func.push(count === 1 ? storeResult(total, element(4), value) : storeTotal(total, element(8), value));
          });
        }
      });
    },
  };
  const plain: Ref[] = [...nest.inputs.map((_, i) => input(i)), ...nest.stores.map((_, i) => output(i))];
  const results = reductions.map((_, j) => output(nest.stores.length + j));
  if (count === 1) return { temps: [], steps: [{ kernel, args: [...plain, ...results] }] };
  const partials = reductions.map((_, j) => temp(j));
  const combine = combineKernel(reductions, { outer: outputs, count, inner: 1, held: 'total' });
  return {
    temps: reductions.map(() => units * 8),
    steps: [
      { kernel, args: [...plain, ...partials] },
      { kernel: combine, args: [...partials, ...results] },
    ],
  };
}

/** The order of axes that this plan wants: kept ones first, each kind in its own order. */
export function keptFirst(nest: Nest): number[] {
  const axes = nest.axes.map((_, a) => a);
  return [...axes.filter((a) => !nest.axes[a]?.reduced), ...axes.filter((a) => nest.axes[a]?.reduced)];
}

/** Points folded into each output. */
export const reducedSize = (nest: Nest): number => product(nest.axes.map((a) => (a.reduced ? a.size : 1)));
