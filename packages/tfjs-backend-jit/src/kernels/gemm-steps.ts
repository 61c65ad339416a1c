/**
 * The order in which a matrix product walks its inner dimension k, as data: loops over steps of a few unrolled k each.
 * A convolution's k is a nest (channel panel, filter row, filter column, channel); a matmul's is one loop and a tail.
 */
import { type Func, i32, type Local } from '../wasm/assembler.ts';
import { STEP_ENTRY } from './gemm-tile.ts';

/** One loop of a nest: `count` rounds, each `a` bytes further in A and `b` bytes further in the unpacked B. */
export interface StepLoop {
  readonly count: number;
  readonly a: number;
  readonly b: number;
}

/** Steps of equal unrolling. The loops run outermost first; `aStart` and `bStart` place the first step. */
export interface Phase {
  readonly unroll: number;
  /** Bytes from one k to the next in A, within a step. */
  readonly aStep: number;
  readonly aStart: number;
  readonly bStart: number;
  readonly nest: readonly StepLoop[];
  /** Steps done for all columns before the next ones begin: a slice of B that stays in the first-level cache. */
  readonly blockSteps: number;
}

export const stepsOf = (phase: Phase): number => phase.nest.reduce((n, loop) => n * loop.count, 1);

/** How many k the phases cover together. */
export const depthOf = (phases: readonly Phase[]): number => phases.reduce((k, p) => k + p.unroll * stepsOf(p), 0);

/** Bytes of the step tables of `phases`, one after the other. */
export const stepTableBytes = (phases: readonly Phase[]): number =>
  phases.reduce((n, p) => n + stepsOf(p), 0) * STEP_ENTRY;

/** Where the table of phase `index` starts, from the first one's start. */
export const stepTableOffset = (phases: readonly Phase[], index: number): number =>
  stepTableBytes(phases.slice(0, index));

/** The longest run of k that one step unrolls completely; longer ones are cut. */
const LONGEST_STEP = 24;

/**
 * Cuts a run of `length` consecutive k into equal steps, and a tail where no even cut is good:
 * 21 → 21; 64 → 4 × 16; 300 → 15 × 20; 37 → 2 × 16 + 5.
 */
export function cutRun(length: number): { unroll: number; count: number; tail: number } {
  if (length <= LONGEST_STEP) return { unroll: length, count: 1, tail: 0 };
  for (const unroll of [16, 20, 24, 18, 14, 12, 22, 21, 15, 10, 8]) {
    if (length % unroll === 0) return { unroll, count: length / unroll, tail: 0 };
  }
  return { unroll: 16, count: Math.floor(length / 16), tail: length % 16 };
}

/**
 * Phases for a nest whose innermost runs are `length` consecutive k, `aStep` bytes apart in A and `bStep` in B:
 * the run is cut by `cutRun`, its tail (if any) becomes a phase of its own over the same nest.
 */
export function phasesOfRuns(
  nest: readonly StepLoop[],
  run: { length: number; aStep: number; bStep: number; aStart?: number; bStart?: number },
  blockDepth: number,
): Phase[] {
  const { length, aStep, bStep, aStart = 0, bStart = 0 } = run;
  const { unroll, count, tail } = cutRun(length);
  const block = (depth: number) => Math.max(1, Math.floor(blockDepth / depth));
  const chunks: StepLoop = { count, a: unroll * aStep, b: unroll * bStep };
  const main: Phase = { unroll, aStep, aStart, bStart, nest: [...nest, chunks], blockSteps: block(unroll) };
  if (tail === 0) return [main];
  const done = unroll * count;
  const rest = { aStart: aStart + done * aStep, bStart: bStart + done * bStep };
  return [main, { unroll: tail, aStep, ...rest, nest, blockSteps: block(tail) }];
}

/** Emits code that writes the step tables of all phases at address `at`. */
export function emitStepTables(f: Func, phases: readonly Phase[], at: Local): void {
  const [entry, a, b, previous] = f.locals('i32', 4);
  f.set(entry, at);
  for (const phase of phases) {
    f.set(a, i32.const(phase.aStart));
    f.set(b, i32.const(phase.bStart));
    f.set(previous, a);
    emitNest(f, phase.nest, a, b, () => {
      f.push(i32.store(entry, a, 0));
      f.push(i32.store(entry, b, 8));
      // The distance to this step belongs to the entry before; before the first entry of all lies nothing of ours.
      f.if(i32.ne(entry, at), () => {
        f.push(i32.store(i32.sub(entry, i32.const(STEP_ENTRY)), i32.sub(a, previous), 4));
      });
      f.push(i32.store(entry, i32.const(0), 4));
      f.set(previous, a);
      f.inc(entry, STEP_ENTRY);
    });
  }
}

function emitNest(f: Func, nest: readonly StepLoop[], a: Local, b: Local, body: () => void): void {
  const [outer, ...inner] = nest;
  if (outer === undefined) {
    body();
    return;
  }
  const counter = f.local('i32');
  f.for(counter, 0, outer.count, 1, () => {
    emitNest(f, inner, a, b, body);
    f.inc(a, outer.a);
    f.inc(b, outer.b);
  });
  f.inc(a, -outer.a * outer.count);
  f.inc(b, -outer.b * outer.count);
}
