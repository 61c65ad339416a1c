/** A recording as a function: where its program finds what it reads, among the arguments and the tensors that were named.
 *  Whoever has one need not record again. */
import type { DataType } from '@tensorflow/tfjs-core';
import type { Loaded } from '../runtime/engine.ts';
import type { Entry, Recording } from './recording.ts';

/** A value with the shape and type under which it was seen. */
export interface Seen {
  readonly entry: Entry;
  readonly shape: readonly number[];
  readonly dtype: DataType;
}

/** Few numbers that the function makes itself, a scalar say: the program is given them at each run. */
export interface Constant {
  readonly dtype: DataType;
  readonly values: readonly number[];
}

/** Where the program finds a leaf: an argument or a named tensor, by its place among them, or a constant. */
type Source =
  | { readonly from: 'arguments' | 'reads'; readonly place: number; readonly size: number }
  | { readonly from: 'constant'; readonly constant: Constant };

export interface Trace {
  readonly key: string;
  readonly program: Loaded;
  readonly sources: readonly Source[];
  readonly result: Pick<Seen, 'shape' | 'dtype'>;
}

/** All that happened while a function was recorded. */
export interface Watched {
  /** What was started, in order, with the constants as they were then. */
  readonly started: (readonly [Recording, Loaded, ReadonlyMap<Entry, Constant>])[];
  /** A value was read, or a cpu kernel ran on one: another value might have led to another recording. */
  usedValues: boolean;
}

/** More numbers than these are no constant: they may be random, say. */
const MOST_NUMBERS = 64;

/**
 * The trace of a function that was just recorded; undefined where it cannot be run again without recording: it looked at
 * values, reads tensors that were not named, writes into what it reads, or left more behind than its result.
 */
export function traceOf(
  { started: [first, ...others], usedValues }: Watched,
  args: readonly Entry[],
  reads: readonly Entry[],
  { entry, shape, dtype }: Seen,
): Trace | undefined {
  if (first === undefined || others.length > 0 || usedValues) return undefined;
  const [{ key, leaves, outputs, donatable }, program, constants] = first;
  const { writesInputs, outputs: places } = program.compiled;
  if (writesInputs || places.some(({ kind }) => kind !== 'fresh')) return undefined;
  if (outputs.length !== 1 || outputs[0] !== entry) return undefined;
  // A tensor in two places is two tensors the next time, perhaps.
  if (new Set([...args, ...reads]).size < args.length + reads.length) return undefined;
  const sources: Source[] = [];
  for (const [i, leaf] of leaves.entries()) {
    const [argument, read, constant] = [args.indexOf(leaf), reads.indexOf(leaf), constants.get(leaf)];
    if (argument >= 0) sources.push({ from: 'arguments', place: argument, size: leaf.size });
    else if (read >= 0) sources.push({ from: 'reads', place: read, size: leaf.size });
    else if (donatable[i] && constant) sources.push({ from: 'constant', constant });
    else return undefined;
  }
  return { key, program, sources, result: { shape, dtype } };
}

/** Of the leaves of a recording, what its function made for itself: short, on the host, and held by nobody. */
export function constantsOf(
  { leaves, donatable }: Recording,
  valuesOf: (entry: Entry) => ArrayLike<number>,
): Map<Entry, Constant> {
  const constants = new Map<Entry, Constant>();
  leaves.forEach((leaf, i) => {
    const { values, host, size, dtype } = leaf;
    if (!donatable[i] || (values === undefined && host === undefined) || size > MOST_NUMBERS) return;
    constants.set(leaf, { dtype, values: Array.from(valuesOf(leaf)) });
  });
  return constants;
}

/** Whether two recordings of a function are one. */
export function isSame(a: Trace, b: Trace): boolean {
  const wiring = ({ sources, result }: Trace) => JSON.stringify([sources, result]);
  return a.key === b.key && a.program === b.program && wiring(a) === wiring(b);
}

/** The entries that a program is to read; undefined where they are not of the sizes that it was made for. */
export function leavesOf(
  { sources }: Trace,
  given: Readonly<Record<'arguments' | 'reads', readonly Entry[]>>,
  make: (constant: Constant) => Entry,
): Entry[] | undefined {
  const fits = sources.every(
    (source) => source.from === 'constant' || given[source.from][source.place]?.size === source.size,
  );
  if (!fits) return undefined;
  return sources.map((source) =>
    source.from === 'constant' ? make(source.constant) : given[source.from][source.place],
  );
}
