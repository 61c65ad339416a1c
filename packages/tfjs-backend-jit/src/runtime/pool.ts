/**
 * The pool of compute threads: all run the same program over one shared memory and meet at barriers in Wasm.
 * The main thread only starts runs and hears of their end; it never computes.
 */
import { isNode } from '../wasm/features.ts';
import * as control from './control.ts';
import { type Spawned, spawn } from './spawn.ts';
import type { LoadedModule, LoadedProgram, Report } from './worker.ts';

/** What to run, once its turn comes. */
export interface Run {
  readonly program: number;
  /** Address of the program's launch counters and pointer table. */
  readonly control: number;
  readonly arena: number;
  readonly scratch: number;
  readonly scratchBytes: number;
}

/** Runs programs, one run at a time. */
export interface Pool {
  readonly threads: number;
  /** Takes compiled modules, before the program's first run. */
  load(kernels: readonly LoadedModule[], program: LoadedProgram): void;
  /** Drops a program, after the runs that are under way. */
  forget(program: number): void;
  /** Starts one run. The one before must be done. */
  begin(run: Run): void;
  readonly idle: boolean;
  /** Resolves when the current run is done; the caller's thread stays free meanwhile. Rejects if a kernel traps. */
  done(): Promise<void>;
  /** Blocks until the current run is done. */
  doneSync(): void;
  /** Nothing runs: the process may end. */
  rest(): void;
  /** Ends the threads; whoever waits for a run gets an error. */
  end(): void;
}

export class ThreadPool implements Pool {
  readonly threads: number;
  private readonly i32: Int32Array;
  private readonly workers: Spawned[] = [];
  private sequence = 0;
  private failure: Error | undefined;
  private waiting: (() => void)[] = [];

  private constructor(memory: WebAssembly.Memory, threads: number) {
    this.threads = threads;
    this.i32 = new Int32Array(memory.buffer, 0, control.RESERVED / 4);
  }

  /** Starts the threads and waits until each has answered. */
  static async start(memory: WebAssembly.Memory, threads: number): Promise<ThreadPool> {
    const pool = new ThreadPool(memory, threads);
    try {
      await Promise.all(Array.from({ length: threads }, (_, thread) => pool.startThread(memory, thread)));
    } catch (error) {
      pool.end();
      throw error;
    }
    pool.rest(); // from here on threads keep the process alive only while they compute
    return pool;
  }

  private startThread(memory: WebAssembly.Memory, thread: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const hear = (report: Report) => {
        if ('ready' in report) resolve();
        else if ('done' in report) this.wake();
        else {
          this.fail(new Error(`a compute thread failed: ${report.error}`));
          reject(this.failure);
        }
      };
      const worker = spawn(hear);
      this.workers[thread] = worker;
      const { threads } = this;
      worker.post({
        kind: 'start',
        memory,
        thread,
        threads,
        words: { ...control },
        tellsDone: waitAsync === undefined,
      });
    });
  }

  load(kernels: readonly LoadedModule[], program: LoadedProgram): void {
    for (const worker of this.workers) worker.post({ kind: 'load', kernels, program });
  }

  forget(program: number): void {
    for (const worker of this.workers) worker.post({ kind: 'forget', program });
  }

  begin(run: Run): void {
    const { i32 } = this;
    i32[control.PROGRAM >> 2] = run.program;
    i32[control.CONTROL >> 2] = run.control;
    i32[control.ARENA >> 2] = run.arena;
    i32[control.SCRATCH >> 2] = run.scratch;
    i32[control.SCRATCH_BYTES >> 2] = run.scratchBytes;
    i32[control.FINISHED >> 2] = 0;
    for (const worker of this.workers) worker.hold(true);
    this.sequence = (this.sequence + 1) | 0;
    Atomics.store(i32, control.SEQUENCE >> 2, this.sequence);
    Atomics.notify(i32, control.SEQUENCE >> 2);
  }

  get idle(): boolean {
    const { i32 } = this;
    return Atomics.load(i32, control.DONE >> 2) === this.sequence || Atomics.load(i32, control.FAILED >> 2) !== 0;
  }

  async done(): Promise<void> {
    const { i32 } = this;
    while (!this.idle) {
      if (waitAsync === undefined) {
        await new Promise<void>((resolve) => this.waiting.push(resolve));
        continue;
      }
      const seen = Atomics.load(i32, control.DONE >> 2);
      if (seen === this.sequence) break;
      const wait = waitAsync(i32, control.DONE >> 2, seen);
      if (wait.async) await wait.value;
    }
    this.check();
  }

  doneSync(): void {
    const { i32 } = this;
    while (!this.idle) {
      const seen = Atomics.load(i32, control.DONE >> 2);
      if (seen !== this.sequence) block(i32, control.DONE >> 2, seen);
    }
    this.check();
  }

  rest(): void {
    for (const worker of this.workers) worker.hold(false);
  }

  end(): void {
    for (const worker of this.workers) worker?.end();
    this.fail(new Error('the backend was disposed of'));
  }

  /** From here on all runs have failed. The first failure is the cause of the others. */
  private fail(error: Error): void {
    this.failure ??= error;
    Atomics.store(this.i32, control.FAILED >> 2, 1);
    Atomics.notify(this.i32, control.DONE >> 2);
    this.wake();
  }

  private wake(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }

  private check(): void {
    if (Atomics.load(this.i32, control.FAILED >> 2) !== 0)
      throw this.failure ?? new Error('internal: a kernel trapped in a compute thread');
  }
}

/** Older Firefox has no `Atomics.waitAsync`; there the workers send a message instead. */
const waitAsync: typeof Atomics.waitAsync | undefined = Atomics.waitAsync?.bind(Atomics);

/** A page's own thread may not block: it spins, and tells the processor so where there is a word for that. */
const block: (i32: Int32Array, index: number, seen: number) => void =
  isNode || typeof document === 'undefined'
    ? (i32, index, seen) => void Atomics.wait(i32, index, seen)
    : () => (Atomics as { pause?: () => void }).pause?.();
