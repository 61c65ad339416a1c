/** What is recorded and has not run: nodes pile up until a value is read or the turn of the event loop ends. */
import { sizeOf } from '../graph/shape.ts';
import { type Entry, type Node, newEntry } from './recording.ts';
import type { Rule, TensorType } from './rule.ts';

/** A recording longer than this runs without waiting for the turn's end: a loop that never yields must not pile up. */
const MAX_PENDING = 50_000;

/** Who runs what was recorded. */
export interface Listener {
  /** The first node since the last run; what it reads is computed or on its way. */
  begins(node: Node): void;
  run(nodes: readonly Node[]): void;
}

export class Pending {
  private readonly listener: Listener;
  private nodes: Node[] = [];
  private scheduled = false;

  private readonly atEnd = () => {
    this.scheduled = false;
    this.flush();
  };

  constructor(listener: Listener) {
    this.listener = listener;
  }

  add(
    kernel: string,
    rule: Rule<never>,
    names: readonly string[],
    inputs: Node['inputs'],
    attrs: unknown,
    types: readonly TensorType[],
  ): readonly Entry[] {
    const outputs = types.map(({ shape, dtype }, output) => newEntry(dtype, sizeOf(shape), { output }));
    for (const { entry } of inputs) {
      const { failure } = entry;
      if (failure === undefined) continue;
      for (const output of outputs) output.failure = failure;
      return outputs;
    }
    const node: Node = { kernel, rule, names, inputs, attrs, types, outputs };
    for (const entry of outputs) entry.node = node;
    for (const { entry } of inputs) entry.readers++;
    this.nodes.push(node);
    if (this.nodes.length === 1) this.listener.begins(node);
    if (this.nodes.length >= MAX_PENDING) this.flush();
    else if (!this.scheduled) {
      this.scheduled = true;
      queueMicrotask(this.atEnd);
    }
    return outputs;
  }

  /** Hands over everything that was recorded. */
  flush(): void {
    const { nodes } = this;
    if (nodes.length === 0) return;
    this.nodes = [];
    this.listener.run(nodes);
  }
}
