/** Functions that are recorded at their first calls only, as those of `tf.function` and `jax.jit`: TF.js takes 2 ms to
 *  describe a ResNet18, which computes for 12 at 224 × 224 on two cores. */
import { type Tensor, type TensorInfo, engine as tfEngine } from '@tensorflow/tfjs-core';
import { isSame, type Seen, type Trace, traceOf, type Watched } from './trace.ts';

/** What a backend does for them. */
export interface Tracer {
  seen(tensor: TensorInfo): Seen;
  /** Calls `fn`, starts what it recorded, and tells what happened. Nothing that was recorded before is part of it. */
  watch(fn: () => Tensor): { readonly output: Tensor; readonly watched: Watched };
  /** Starts the program of a trace; undefined where it is gone, or these values cannot be read. */
  replay(trace: Trace, args: readonly Seen[], reads: readonly Seen[]): TensorInfo | undefined;
}

/** What is known of a function for arguments of one kind. */
interface Known {
  readonly trace: Trace | undefined;
  /** Two recordings were the same: what is recorded depends on nothing but the kind of the arguments. */
  readonly sure: boolean;
  /** Recordings that were not as the one before. */
  readonly misses: number;
}

/** A function that was recorded so often without becoming sure is called as it is. */
const MOST_MISSES = 3;

export function traced<Args extends Tensor[]>(
  tracer: Tracer,
  fn: (...args: Args) => Tensor,
  reads: () => readonly Tensor[],
): (...args: Args) => Tensor {
  const kinds = new Map<string, Known>();
  return (...args) => {
    const engine = tfEngine();
    const { gradientDepth, profiling } = engine.state;
    // A gradient needs each operation, and so does a profile.
    if ((engine.backend as unknown) !== tracer || gradientDepth > 0 || profiling) return fn(...args);
    const given = args.map((tensor) => tracer.seen(tensor));
    const read = reads().map((tensor) => tracer.seen(tensor));
    const kind = given.map(({ entry, shape, dtype }) => `${entry.dtype} ${dtype}[${shape}]`).join();
    const known = kinds.get(kind);
    if (known?.misses === MOST_MISSES) return fn(...args);
    const result = known?.sure && known.trace ? tracer.replay(known.trace, given, read) : undefined;
    if (result) return engine.makeTensorFromTensorInfo(result);
    const { output, watched } = tracer.watch(() => fn(...args));
    const [argEntries, readEntries] = [given, read].map((values) => values.map(({ entry }) => entry));
    const trace = traceOf(watched, argEntries, readEntries, tracer.seen(output));
    const sure = trace !== undefined && known?.trace !== undefined && isSame(trace, known.trace);
    kinds.set(kind, { trace, sure, misses: (known?.misses ?? 0) + (known && !sure ? 1 : 0) });
    return output;
  };
}
