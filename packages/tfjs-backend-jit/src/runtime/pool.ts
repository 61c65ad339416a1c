/**
 * The pool of compute threads: all run the same program over one shared memory and meet at barriers in Wasm.
 * The main thread only starts runs and hears of their end; it never computes.
 */
import * as control from './control.ts';
import type { LoadedModule, LoadedProgram, WorkerMessage } from './worker.ts';
import { workerMain } from './worker.ts';

/** One thread's handle, whichever kind of worker the platform has. */
interface Thread {
  post(message: WorkerMessage): void;
  /** Keeps the process alive while the thread computes. */
  hold(busy: boolean): void;
  end(): void;
}

type Report = { readonly ready: number } | { readonly error: string };

/** What to run, once its turn comes. */
export interface Run {
  readonly program: number;
  /** Address of the program's launch counters and pointer table. */
  readonly control: number;
  readonly arena: number;
  readonly scratch: number;
  readonly scratchBytes: number;
}

export class ThreadPool {
  readonly threads: number;
  private readonly i32: Int32Array;
  private readonly workers: Thread[] = [];
  private sequence = 0;
  private failure: string | undefined;

  private constructor(memory: WebAssembly.Memory, threads: number) {
    this.threads = threads;
    this.i32 = new Int32Array(memory.buffer, 0, control.RESERVED / 4);
  }

  /** Starts the threads and waits until each has answered. */
  static async start(memory: WebAssembly.Memory, threads: number): Promise<ThreadPool> {
    const pool = new ThreadPool(memory, threads);
    await Promise.all(
      Array.from({ length: threads }, async (_, thread) => {
        await new Promise<void>((resolve, reject) => {
          spawn((report) => {
            if ('ready' in report) resolve();
            else {
              pool.failure = report.error;
              reject(new Error(`a compute thread failed: ${report.error}`));
            }
          }).then((worker) => {
            pool.workers[thread] = worker;
            worker.post({ kind: 'start', memory, thread, threads, words: { ...control } });
          }, reject);
        });
      }),
    );
    pool.rest(); // from here on threads keep the process alive only while they compute
    return pool;
  }

  /** Hands compiled modules to every thread. Threads pick them up before the program's first run. */
  load(kernels: readonly LoadedModule[], program: LoadedProgram): void {
    for (const worker of this.workers) worker.post({ kind: 'load', kernels, program });
  }

  /** Lets the threads drop a program, after the runs that are under way. */
  forget(program: number): void {
    for (const worker of this.workers) worker.post({ kind: 'forget', program });
  }

  /** Starts one run. The one before must be done. */
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
    return Atomics.load(this.i32, control.DONE >> 2) === this.sequence;
  }

  /** Resolves when the current run is done; the main thread stays free meanwhile. */
  async done(): Promise<void> {
    const { i32 } = this;
    for (;;) {
      const seen = Atomics.load(i32, control.DONE >> 2);
      if (seen === this.sequence) break;
      const wait = Atomics.waitAsync(i32, control.DONE >> 2, seen);
      if (wait.async) await wait.value;
    }
    this.check();
  }

  /** Blocks until the current run is done. */
  doneSync(): void {
    const { i32 } = this;
    for (;;) {
      const seen = Atomics.load(i32, control.DONE >> 2);
      if (seen === this.sequence) break;
      if (canBlock) Atomics.wait(i32, control.DONE >> 2, seen);
    }
    this.check();
  }

  /** Nothing runs: the process may end. */
  rest(): void {
    for (const worker of this.workers) worker.hold(false);
  }

  end(): void {
    for (const worker of this.workers) worker.end();
  }

  private check(): void {
    if (this.i32[control.FAILED >> 2] !== 0)
      throw new Error(`internal: a kernel trapped: ${this.failure ?? 'no report'}`);
  }
}

/** A page's main thread may not block; it spins. */
const canBlock = typeof process !== 'undefined' || typeof document === 'undefined';

const BOOT = `(${workerMain.toString()})`;

async function spawn(report: (report: Report) => void): Promise<Thread> {
  if (typeof process !== 'undefined' && process.versions?.node !== undefined) {
    const { Worker } = await import('node:worker_threads');
    const source = `const { parentPort } = require('node:worker_threads');
      ${BOOT}({ post: (m) => parentPort.postMessage(m), listen: (h) => parentPort.on('message', h) });`;
    const worker = new Worker(source, { eval: true, execArgv: [], stdin: false });
    worker.on('message', (message: Report) => report(message));
    worker.on('error', (error) => report({ error: String(error) }));
    return {
      post: (message) => worker.postMessage(message),
      hold: (busy) => (busy ? worker.ref() : worker.unref()),
      end: () => void worker.terminate(),
    };
  }
  const source = `${BOOT}({ post: (m) => postMessage(m), listen: (h) => { onmessage = (e) => h(e.data); } });`;
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const worker = new Worker(url);
  worker.onmessage = (event: MessageEvent<Report>) => report(event.data);
  worker.onerror = (event) => report({ error: event.message });
  return { post: (message) => worker.postMessage(message), hold: () => {}, end: () => worker.terminate() };
}
