/**
 * A loop in canonical form: no axes of size 1, neighbouring axes merged, outputs as strided streams.
 * What follows (tiles, pieces, code) works on this form only.
 */
import type { BodyNode, Lane, LoopReduce, LoopSpec } from './loop-spec.ts';

/** A tensor walked by the loop: element `offset + Σ iₐ·strides[a]`. */
export interface Stream {
  readonly lane: Lane;
  readonly offset: number;
  readonly strides: readonly number[];
}

export interface NestStore extends Stream {
  readonly value: number;
}

export interface Axis {
  readonly size: number;
  readonly reduced: boolean;
}

/** Inputs keep the order and the number that they have in the spec, so that pointers match. */
export interface Nest {
  readonly axes: readonly Axis[];
  readonly inputs: readonly Stream[];
  /** `index` nodes name axes of the nest. */
  readonly body: readonly BodyNode[];
  readonly stores: readonly NestStore[];
  readonly reductions: readonly LoopReduce[];
}

export const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** Strides of a dense row-major tensor. */
export function denseStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let a = shape.length - 2; a >= 0; a--) strides[a] = (strides[a + 1] ?? 1) * (shape[a + 1] ?? 1);
  return strides;
}

/** The body's nodes that `roots` need, themselves included. */
export function liveNodes(body: readonly BodyNode[], roots: readonly number[]): Set<number> {
  const live = new Set<number>();
  const visit = (index: number): void => {
    if (live.has(index)) return;
    live.add(index);
    const node = body[index];
    if (node === undefined) throw new Error(`internal: loop body has no value ${index}`);
    if (node.kind !== 'apply') return;
    for (const arg of node.args) {
      if (arg >= index) throw new Error(`internal: loop body value ${index} uses ${arg}, which comes later`);
      visit(arg);
    }
  };
  roots.forEach(visit);
  return live;
}

export const rootsOf = (nest: Pick<Nest, 'stores' | 'reductions'>): number[] => [
  ...nest.stores.map((s) => s.value),
  ...nest.reductions.map((r) => r.value),
];

/** The inputs that a nest's results depend on; the others are never read. */
export function liveInputs(nest: Nest): Set<number> {
  const inputs = new Set<number>();
  for (const index of liveNodes(nest.body, rootsOf(nest))) {
    const node = nest.body[index];
    if (node?.kind === 'load') inputs.add(node.input);
  }
  return inputs;
}

/** The canonical form of a spec whose shape holds no zero. */
export function canonicalise(spec: LoopSpec): Nest {
  const { shape, body } = spec;
  const dense = denseStrides(shape);
  const whole: Nest = {
    axes: shape.map((size, a) => ({ size, reduced: spec.reduced?.[a] ?? false })),
    inputs: spec.inputs,
    body,
    stores: spec.stores.map(({ value }) => ({ value, lane: laneOf(body, value), offset: 0, strides: dense })),
    reductions: spec.reductions ?? [],
  };
  const indexed = new Set<number>();
  for (const i of liveNodes(body, rootsOf(whole))) {
    const node = body[i];
    if (node?.kind === 'index') indexed.add(node.axis);
  }
  const live = liveInputs(whole);
  const streams = [...whole.inputs.filter((_, i) => live.has(i)), ...whole.stores];
  const joins = (outer: number, inner: number): boolean =>
    !indexed.has(outer) &&
    !indexed.has(inner) &&
    whole.axes[outer]?.reduced === whole.axes[inner]?.reduced &&
    streams.every((s) => s.strides[outer] === (s.strides[inner] ?? 0) * (shape[inner] ?? 1));
  // Groups of axes that become one, from the outermost.
  const groups: number[][] = [];
  shape.forEach((size, a) => {
    if (size === 1) return;
    const last = groups.at(-1)?.at(-1);
    if (last !== undefined && joins(last, a)) groups.at(-1)?.push(a);
    else groups.push([a]);
  });
  if (groups.length === 0) groups.push([shape.length - 1]);
  const pick = (strides: readonly number[]) => groups.map((group) => strides[group.at(-1) ?? 0] ?? 0);
  return {
    axes: groups.map((group) => ({
      size: product(group.map((a) => shape[a] ?? 1)),
      reduced: whole.axes[group[0] ?? 0]?.reduced ?? false,
    })),
    inputs: whole.inputs.map((s) => ({ ...s, strides: pick(s.strides) })),
    body: body.map((node) => {
      if (node.kind !== 'index') return node;
      const axis = groups.findIndex((group) => group.includes(node.axis));
      return axis < 0 ? { kind: 'const', value: 0, lane: 'i32' } : { ...node, axis };
    }),
    stores: whole.stores.map((s) => ({ ...s, strides: pick(s.strides) })),
    reductions: whole.reductions,
  };
}

/** The same nest with its axes in another order: axis `a` of the result is axis `order[a]` of the nest. */
export function permute(nest: Nest, order: readonly number[]): Nest {
  const move = (strides: readonly number[]) => order.map((a) => strides[a] ?? 0);
  return {
    axes: order.map((a) => nest.axes[a] ?? { size: 1, reduced: false }),
    inputs: nest.inputs.map((s) => ({ ...s, strides: move(s.strides) })),
    body: nest.body.map((node) => (node.kind === 'index' ? { ...node, axis: order.indexOf(node.axis) } : node)),
    stores: nest.stores.map((s) => ({ ...s, strides: move(s.strides) })),
    reductions: nest.reductions,
  };
}

export function laneOf(body: readonly BodyNode[], value: number): Lane {
  const node = body[value];
  if (node === undefined) throw new Error(`internal: loop body has no value ${value}`);
  return node.lane;
}

/** A short text that differs for all that differs; unlike plain JSON also for −0, infinities and NaN. */
export function fingerprint(...parts: readonly unknown[]): string {
  return JSON.stringify(parts, (_, value: unknown) =>
    typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))
      ? Object.is(value, -0)
        ? '-0'
        : String(value)
      : value,
  );
}
