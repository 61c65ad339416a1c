/** Functions that the backend need not be told twice. Ours records such a function at its first calls and after that
 *  only runs it (`JitBackend.traced`); on any other backend it is called as it is. */

import * as tf from '@tensorflow/tfjs-core';

/** What a backend may offer beside what TF.js asks of it. */
interface Tracing {
  traced<Args extends tf.Tensor[]>(
    fn: (...args: Args) => tf.Tensor,
    reads: () => readonly tf.Tensor[],
  ): (...args: Args) => tf.Tensor;
}

/**
 * @param fn is pure: it depends on its arguments and the tensors of `reads` alone, and changes nothing
 * @param reads The tensors beside the arguments, always in the same order. Their values may change between calls.
 */
export function traced<Args extends tf.Tensor[], Result extends tf.Tensor>(
  fn: (...args: Args) => Result,
  reads: () => readonly tf.Tensor[],
): (...args: Args) => Result {
  let made: { readonly backend: unknown; readonly call: (...args: Args) => tf.Tensor } | undefined;
  return (...args) => {
    const backend: tf.KernelBackend & Partial<Tracing> = tf.backend();
    if (made?.backend !== backend) made = { backend, call: backend.traced?.(fn, reads) ?? fn };
    return made.call(...args) as Result;
  };
}
