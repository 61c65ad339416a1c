/**
 * Which launches may run beside the next one: those that touch nothing the other writes. The filter's and the input's
 * gradient of a layer, the filters of all layers, the updates of all weights then share the threads without a barrier.
 */
import type { Pointer } from '../runtime/program.ts';

/** A stretch of memory that a launch reads, or also writes. */
export interface Touch {
  readonly pointer: Pointer;
  readonly bytes: number;
  readonly writes: boolean;
}

/** For each launch: no barrier is needed after it. Launches without one between them are independent pair by pair. */
export function overlaps(launches: readonly (readonly Touch[])[]): boolean[] {
  let group: (readonly Touch[])[] = [];
  return launches.map((launch, i) => {
    group.push(launch);
    const next = launches[i + 1];
    const free = next !== undefined && group.every((other) => independent(other, next));
    if (!free) group = [];
    return free;
  });
}

function independent(a: readonly Touch[], b: readonly Touch[]): boolean {
  return a.every((p) => b.every((q) => (!p.writes && !q.writes) || !meet(p, q)));
}

function meet(a: Touch, b: Touch): boolean {
  const [p, q] = [a.pointer, b.pointer];
  if (p.kind === 'external' && q.kind === 'external') return p.slot === q.slot;
  if (p.kind === 'external' || q.kind === 'external') return false;
  return p.offset < q.offset + b.bytes && q.offset < p.offset + a.bytes;
}
