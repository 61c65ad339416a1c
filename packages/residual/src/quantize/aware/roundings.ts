/** How each value of a graph is rounded while it trains, by the same rules by which `assign.ts` gives it a scale. */

import type { GraphNode, InferenceGraph } from '../../export/graph/graph.ts';
import { movesOnly, scaleGroups } from '../assign.ts';
import type { ValueRange } from '../parameters.ts';
import type { AwareSettings } from './options.ts';
import { TrackedRange } from './tracked-range.ts';

/** A fixed range is part of the specification, not of the training. */
export type Rounding =
  | { readonly kind: 'none' }
  | { readonly kind: 'fixed'; readonly range: ValueRange }
  | { readonly kind: 'tracked'; readonly range: TrackedRange; readonly start: ValueRange };

/** Functions whose results lie between 0 and 1. */
export function isUnit(op: GraphNode['op']): boolean {
  return op === 'softmax' || op === 'sigmoid';
}

export class Roundings {
  private readonly graph: InferenceGraph;
  private readonly start: ReadonlyMap<string, ValueRange>;
  private readonly groups: { of(value: string): string };
  private readonly byValue = new Map<string, Rounding>();
  private readonly tracked = new Map<string, TrackedRange[]>();
  private readonly fixed = new Map<string, ValueRange>();

  /** @param start the range of every value before the training, by its name */
  constructor(graph: InferenceGraph, start: ReadonlyMap<string, ValueRange>, settings: AwareSettings) {
    const { keepFloat, bits, scheme } = settings;
    const float = new Set(keepFloat);
    this.graph = graph;
    this.start = start;
    this.groups = scaleGroups(graph, float);
    const integers = graph.nodes.filter(({ name }) => !float.has(name));
    // What an integer node reads is rounded too, whoever made it.
    const rounded = new Set(integers.flatMap(({ inputs, output }) => [...inputs, output]));
    for (const { op, output } of scheme === 'asymmetric' ? integers : []) {
      if (isUnit(op)) this.fixed.set(this.groups.of(output), { min: 0, max: 1 - 2 ** -bits });
    }
    // Integers that are moved about stay integers; an average of integers is none.
    const moves = (node: GraphNode) => movesOnly(node) && node.op !== 'averagePool' && !float.has(node.name);
    const moved = new Set(graph.nodes.flatMap((node) => (moves(node) ? [node.output] : [])));
    for (const [, value] of this.names) {
      const isRounded = rounded.has(value) && !moved.has(value);
      this.byValue.set(value, isRounded ? this.roundingOf(value) : { kind: 'none' });
    }
  }

  of(value: string): Rounding {
    return this.byValue.get(value) ?? { kind: 'none' };
  }

  /** The ranges as they are now: of each node's value under the node's name, and of the input's. */
  async ranges(): Promise<Record<string, ValueRange>> {
    const ranges: Record<string, ValueRange> = {};
    for (const [name, value] of this.names) ranges[name] = await this.rangeOf(value);
    return ranges;
  }

  private get names(): readonly (readonly [name: string, value: string])[] {
    const { input, nodes } = this.graph;
    return [[input.name, input.name], ...nodes.map(({ name, output }) => [name, output] as const)];
  }

  private roundingOf(value: string): Rounding {
    const group = this.groups.of(value);
    const range = this.fixed.get(group);
    if (range) return { kind: 'fixed', range };
    const together = this.tracked.get(group) ?? [];
    this.tracked.set(group, together);
    return { kind: 'tracked', range: new TrackedRange(together), start: this.startOf(value) };
  }

  /** All of a group have one range, also those that are only moved about. */
  private async rangeOf(value: string): Promise<ValueRange> {
    const group = this.groups.of(value);
    const fixed = this.fixed.get(group);
    if (fixed) return fixed;
    let range: ValueRange | undefined;
    for (const { own } of this.tracked.get(group) ?? []) {
      const [min, max] = [await number(own.min), await number(own.max)];
      range = { min: Math.min(range?.min ?? min, min), max: Math.max(range?.max ?? max, max) };
    }
    return range ?? this.startOf(value);
  }

  private startOf(value: string): ValueRange {
    const range = this.start.get(value);
    if (!range) throw new Error(`internal: ${value} was not calibrated`);
    return range;
  }
}

async function number(scalar: TrackedRange['own']['min']): Promise<number> {
  const [value = Number.NaN] = await scalar.read().data();
  return value;
}
