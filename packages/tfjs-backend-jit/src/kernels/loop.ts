/**
 * Fused loops: from a `LoopSpec` to kernels. Chooses how the loop is walked; the plans are in files of their own.
 */
import { i32, type ModuleBuilder } from '../wasm/assembler.ts';
import type { Features, Kernel, Recipe } from './kernel.ts';
import { output } from './kernel.ts';
import { FOLDS, fillIdentity } from './loop-accumulate.ts';
import { elementwiseKernel } from './loop-elementwise.ts';
import { canonicalise, denseStrides, laneOf, type Nest, permute, product } from './loop-nest.ts';
import { keptFirst, reducedSize, reduceLanes } from './loop-reduce-lanes.ts';
import { reduceRows } from './loop-reduce-rows.ts';
import type { LoopReduce, LoopSpec } from './loop-spec.ts';

/** Below so many points per output, vectors run along the outputs even where that means gathering. */
const SHORT = 32;
/** Loops of so few points fold one point after the other, in order: so does whoever runs a small program step by step. */
export const IN_ORDER = 2048;

/**
 * The kernels of a fused loop. Pointers of the recipe: the spec's inputs, then its stores, then its reductions.
 * A store may lie where an input lies if that input is dense and of the whole shape: points are read before they are written.
 */
export function loop(spec: LoopSpec, features: Features): Recipe {
  const reductions = spec.reductions ?? [];
  if (product(spec.shape) === 0) return emptyLoop(spec, reductions);
  const name = describe(spec);
  let nest = canonicalise(spec);
  if (!nest.axes.some((a) => a.reduced)) nest = withoutReductions(nest);
  if (nest.reductions.length === 0) {
    const kernel = elementwiseKernel(nest, name, features);
    const inputs = spec.inputs.map((_, index) => ({ kind: 'input' as const, index }));
    return { temps: [], steps: [{ kernel, args: [...inputs, ...nest.stores.map((_, i) => output(i))] }] };
  }
  const inOrder = product(nest.axes.map(({ size }) => size)) <= IN_ORDER;
  const vectors = !inOrder && nest.reductions.every((r) => FOLDS[r.fn].vector !== undefined);
  const order = keptFirst(nest);
  const kept = nest.axes.filter((a) => !a.reduced).length;
  const lastKept = order[kept - 1];
  const alongKept =
    vectors && lastKept !== undefined && (lastKept === nest.axes.length - 1 || prefersKept(nest, lastKept));
  if (!alongKept) return reduceLanes(permute(nest, order), name, features, !vectors);
  const rest = order.filter((a) => a !== lastKept);
  return reduceRows(permute(nest, [...rest, lastKept]), name, features);
}

/** Few points per output, many outputs: rows of lanes beat lanes of rows although they are gathered. */
function prefersKept(nest: Nest, lastKept: number): boolean {
  return reducedSize(nest) < SHORT && (nest.axes[lastKept]?.size ?? 1) >= 8;
}

/** Reductions over axes of size 1 are stores. */
function withoutReductions(nest: Nest): Nest {
  const strides = denseStrides(nest.axes.map((a) => a.size));
  const more = nest.reductions.map(({ value }) => ({ value, lane: laneOf(nest.body, value), offset: 0, strides }));
  return { ...nest, stores: [...nest.stores, ...more], reductions: [] };
}

/** No points at all: stores have nothing to write, reductions give their identities. */
function emptyLoop(spec: LoopSpec, reductions: readonly LoopReduce[]): Recipe {
  const outputs = product(spec.shape.map((size, a) => (spec.reduced?.[a] ? 1 : size)));
  if (outputs === 0 || reductions.length === 0) return { temps: [], steps: [] };
  const functions = reductions.map((r) => r.fn);
  const kernel: Kernel = {
    name: `fill ${functions.join(',')} ${outputs}`,
    key: `loop fill ${functions.join(',')} ${outputs}`,
    buffers: reductions.length,
    pieces: 1,
    scratch: 0,
    flops: 0,
    bytes: outputs * 4 * reductions.length,
    emit(module: ModuleBuilder) {
      module.func('k', new Array<'i32'>(2 + reductions.length).fill('i32'), [], (f) => {
        functions.forEach((fn, j) => {
          fillIdentity(f, fn, f.param(2 + j), i32.const(outputs));
        });
      });
    },
  };
  return { temps: [], steps: [{ kernel, args: reductions.map((_, j) => output(spec.stores.length + j)) }] };
}

/** `loop 128x32x32x64 mul,add,relu -> store, sum`, shortened. */
function describe(spec: LoopSpec): string {
  const functions = spec.body.flatMap((n) => (n.kind === 'apply' ? [n.fn] : []));
  const shown = functions.length > 6 ? [...functions.slice(0, 5), `…${functions.length - 5}`] : functions;
  const shape = spec.shape.map((size, a) => (spec.reduced?.[a] ? `(${size})` : `${size}`)).join('x');
  const ends = [...spec.stores.map(() => 'store'), ...(spec.reductions ?? []).map((r) => r.fn)];
  return `loop ${shape} ${[...shown, ...ends].join(',')}`;
}
