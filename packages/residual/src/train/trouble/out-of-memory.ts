/** Knows running out of memory when it sees it, on any TF.js backend, and how far to cut a batch.
 *  The library may not import a backend, so errors are known by their name, fields and words. */

/** What `tfjs-backend-jit` says before a step runs: what it needs, what there is, and a batch that would fit. */
interface Advice {
  readonly need?: unknown;
  readonly limit?: unknown;
  readonly batchSize?: unknown;
}

/**
 * The words of Wasm and typed arrays (cpu, wasm, jit), WebGL, WebGPU and TensorFlow (tfjs-node). V8's own end of the
 * heap is not among them: it ends the process.
 */
const words =
  /out of memory|OOM when allocating|array buffer allocation failed|invalid (typed )?array length|memory\.grow|unable to grow|resource ?exhausted|texture size .* greater than|GL_OUT_OF_MEMORY/i;

export function isOutOfMemory(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  return /^(GPU)?OutOfMemoryError$/.test(error.name) || words.test(error.message);
}

/** `4.20 GiB are needed and 4.00 GiB there`, where the error knows. */
export function needOf(error: Error): string | undefined {
  const { need, limit } = error as Error & Advice;
  if (typeof need !== 'number' || typeof limit !== 'number') return undefined;
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
  return `it needs ${gib(need)} of at most ${gib(limit)}`;
}

/**
 * How many images to compute at once after `current` were too many: what the error advises, or half; then evened out,
 * so that 128 in parts of at most 50 becomes 3 parts of 43.
 *
 * @returns undefined where there is nothing left to cut
 */
export function nextMicroBatch(error: Error, current: number, batchSize: number): number | undefined {
  if (current <= 1) return undefined;
  const { batchSize: advised } = error as Error & Advice;
  const most = typeof advised === 'number' && advised >= 1 && advised < current ? advised : Math.floor(current / 2);
  const parts = Math.ceil(batchSize / Math.floor(most));
  return Math.ceil(batchSize / parts);
}
