/** The error of a step that does not fit: what it needs, what there is, and a batch size that would fit. */
import type { Compiled } from '../compile.ts';
import type { Recording } from '../record/recording.ts';
import type { Heap, HeapFull } from '../runtime/heap.ts';

/** Thrown before a program starts that needs more memory than a 32-bit Wasm memory has. */
export class OutOfMemoryError extends Error {
  /** Bytes that the program needs beside what is in use. */
  readonly need: number;
  readonly limit: number;
  /** A batch size that should fit, where the program has a batch. */
  readonly batchSize: number | undefined;

  constructor(need: number, limit: number, batch: number | undefined, batchSize: number | undefined) {
    const advice = batchSize === undefined ? '' : `; a batch of ${batchSize} instead of ${batch} should fit`;
    super(`out of memory: this step needs ${gib(need)} and the Wasm memory ends at ${gib(limit)}${advice}`);
    this.name = 'OutOfMemoryError';
    this.need = need;
    this.limit = limit;
    this.batchSize = batchSize;
  }
}

const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;

export function outOfMemory(
  full: HeapFull,
  recording: Recording,
  compiled: Compiled | undefined,
  heap: Heap,
): OutOfMemoryError {
  const fresh = compiled?.fresh.reduce((sum, bytes) => sum + bytes, 0) ?? 0;
  const need = Math.max(full.need, (compiled?.arenaBytes ?? 0) + fresh) + heap.used;
  const batch = batchOf(recording);
  // All but the weights grows with the batch; nine tenths leave room for what lies between.
  const fits =
    batch === undefined ? undefined : Math.floor(((batch * (heap.limit - heap.used)) / (need - heap.used)) * 0.9);
  return new OutOfMemoryError(
    need,
    heap.limit,
    batch,
    fits !== undefined && fits >= 1 && batch !== undefined && fits < batch ? fits : undefined,
  );
}

/** The leading dimension of the largest image batch among the inputs. */
function batchOf({ nodes, leaves }: Recording): number | undefined {
  let best: { size: number; batch: number } | undefined;
  const outside = new Set(leaves);
  for (const node of nodes) {
    for (const { entry, shape } of node.inputs) {
      if (
        !outside.has(entry) ||
        shape.length !== 4 ||
        node.kernel.includes('Filter') ||
        node.names[node.inputs.length - 1] === undefined
      )
        continue;
      const isFilter = node.inputs.length > 1 && node.inputs[1].entry === entry && node.kernel.startsWith('Conv');
      if (!isFilter && (best === undefined || entry.size > best.size)) best = { size: entry.size, batch: shape[0] };
    }
  }
  return best?.batch;
}
