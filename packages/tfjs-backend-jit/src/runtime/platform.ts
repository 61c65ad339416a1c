/** What the platform grants: threads and shared memory. */
import { env, isNode } from '../wasm/features.ts';

/** `JIT_THREADS`, or as many as the processor runs at once, at most 16. */
export async function threadCount(): Promise<number> {
  const asked = env('JIT_THREADS');
  if (asked !== undefined) {
    const threads = Number(asked);
    if (!Number.isInteger(threads) || threads < 1 || threads > 64) {
      throw new Error(`JIT_THREADS must be a whole number from 1 to 64, and is "${asked}"`);
    }
    return threads;
  }
  const available = isNode
    ? (await import('node:os')).availableParallelism()
    : (globalThis.navigator?.hardwareConcurrency ?? 1);
  return Math.min(16, Math.max(1, available));
}

export function createMemory(): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 64, maximum: 65536, shared: true });
}
