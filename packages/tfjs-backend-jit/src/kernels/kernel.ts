/**
 * What a kernel is: one Wasm function, specialised to its shapes, that any thread may run for any piece.
 * Operations become recipes: kernels in order, over inputs, outputs and temporaries.
 */
import type { ModuleBuilder } from '../wasm/assembler.ts';
import type { Epilogue } from './epilogue.ts';

/** What the engine at hand can do; probed once at start (`wasm/features.ts`). */
export interface Features {
  /** Relaxed SIMD: `f32x4.relaxed_madd`. */
  readonly relaxed: boolean;
  /** V8's revectoriser is on: neighbouring v128 operations run as one 256-bit AVX operation. */
  readonly wide: boolean;
  /** The memory is shared between threads; false in a page that is not cross-origin isolated. Default true. */
  readonly shared?: boolean;
}

/** One specialised kernel. Kernels of equal `key` share one compiled module. */
export interface Kernel {
  /** For people: shown by `JIT_DEBUG`, e.g. `conv2d 3x3/1 32x32x32x64->64`. */
  readonly name: string;
  /** For the cache: everything that the emitted code depends on. */
  readonly key: string;
  /** How many pointers the function takes after `piece` and `scratch`. */
  readonly buffers: number;
  /** The work is cut into this many pieces; the cutting depends on the shapes alone, never on the number of threads. */
  readonly pieces: number;
  /** Bytes of scratch memory that one thread needs while it runs a piece (128-byte aligned; contents undefined at entry). */
  readonly scratch: number;
  /** Floating-point operations of all pieces together, for `JIT_DEBUG=time`. */
  readonly flops: number;
  /** Bytes read and written by all pieces together, for `JIT_DEBUG=time`. */
  readonly bytes: number;
  /**
   * Defines the function exported as `k`: `(piece: i32, scratch: i32, ...buffers: i32) -> ()`.
   * Pointers are byte addresses, 64-byte aligned at the start of each tensor. Pieces write disjoint memory.
   */
  emit(module: ModuleBuilder): void;
}

/** Where a kernel's pointer comes from, seen from inside a recipe. */
export type Ref =
  | { readonly kind: 'input'; readonly index: number }
  | { readonly kind: 'output'; readonly index: number }
  | { readonly kind: 'temp'; readonly index: number };

/** One kernel and its pointers. Steps of a recipe run in order, with a barrier between them. */
export interface Step {
  readonly kernel: Kernel;
  readonly args: readonly Ref[];
  /** Reads steady inputs alone: what it writes is kept, and it need not run again while they hold the same values. */
  readonly keep?: boolean;
}

/** What is known of an operation's surroundings when its recipe is chosen. */
export interface Setting {
  /** For each input: it outlives the run, so what is made of it alone may be kept for the next. Default none. */
  readonly steady?: readonly boolean[];
  /** What to do to each element of the result; only for operations that say they can. */
  readonly epilogue?: Epilogue;
  /** Outputs 1 and 2 are to be the sums of a batch norm; only for operations that say they can take an epilogue. */
  readonly moments?: boolean;
}

/** How one operation is computed. Temporaries live in the arena from the first step that names them to the last. */
export interface Recipe {
  /** Bytes of each temporary. */
  readonly temps: readonly number[];
  readonly steps: readonly Step[];
}

export const input = (index: number): Ref => ({ kind: 'input', index });
export const output = (index: number): Ref => ({ kind: 'output', index });
export const temp = (index: number): Ref => ({ kind: 'temp', index });
