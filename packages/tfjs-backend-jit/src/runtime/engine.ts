/**
 * Runs compiled programs one after another on the thread pool. Programs wait in a queue, so that the caller can
 * record the next step while this one computes; memory is given and taken in the order of the queue.
 */
import type { Compiled } from '../compile.ts';
import { debug } from '../debug.ts';
import type { Features, Kernel } from '../kernels/kernel.ts';
import type { DeviceBuffer } from '../record/recording.ts';
import { ModuleBuilder } from '../wasm/assembler.ts';
import { CallerThread, isSmall } from './caller.ts';
import { MARKS, MAX_MARKS, RESERVED } from './control.ts';
import { Heap } from './heap.ts';
import type { Pool, Run } from './pool.ts';
import { printTimes } from './print-plan.ts';
import { counterBytes } from './program.ts';
import type { LoadedModule } from './worker.ts';

/** Values of TF.js on the host, as compiled code holds them: four bytes an element. */
export type HostValues = Float32Array | Int32Array | Uint8Array;

export interface Upload {
  readonly buffer: DeviceBuffer;
  readonly values: HostValues;
}

/** A program whose modules every thread has. */
export interface Loaded {
  readonly id: number;
  readonly compiled: Compiled;
  /** Address of launch counters and pointer table. */
  readonly control: number;
  /** It runs on the caller's thread, and the pool does not know it. */
  readonly small: boolean;
  /** The number of its latest run. */
  lastRun: number;
}

interface Job {
  readonly number: number;
  readonly program: Loaded;
  readonly pointers: readonly number[];
  readonly uploads: readonly Upload[];
  readonly arena: number;
  readonly scratch: number;
  /** Launches whose results are still there. */
  readonly skip: readonly number[];
}

/** More pieces than any launch has, and far from overflow as threads count on. */
const ALL_TAKEN = 2 ** 30;

/** Memory that every program uses in turn. */
interface Block {
  address: number;
  bytes: number;
}

export class Engine {
  readonly heap: Heap;
  readonly features: Features;
  readonly pool: Pool;
  private readonly caller: CallerThread;
  private readonly modules = new Map<string, LoadedModule>();
  private readonly loadedKernels = new Set<number>();
  private readonly queue: Job[] = [];
  private running: Job | undefined;
  private nextJob = 1;
  /** Jobs up to this number are done. */
  private finished = 0;
  private programs = 0;
  private readonly arena: Block = { address: 0, bytes: 0 };
  private readonly scratch: Block = { address: 0, bytes: 0 };
  private failure: Error | undefined;
  private wake: (() => void)[] = [];

  constructor(memory: WebAssembly.Memory, features: Features, pool: Pool) {
    this.heap = new Heap(memory, RESERVED);
    this.features = features;
    this.pool = pool;
    this.caller = new CallerThread(memory, (launch) => {
      new Float64Array(memory.buffer, MARKS, MAX_MARKS + 1)[launch] = performance.now();
    });
  }

  /** Compiles a program's Wasm and hands it to the threads. */
  load(compiled: Compiled): Loaded {
    const kernels = compiled.kernels.map((kernel) => this.moduleOf(kernel));
    const id = this.programs++;
    const module = new WebAssembly.Module(compiled.wasm);
    const small = this.features.shared === true && isSmall(compiled);
    if (small) this.caller.load(kernels, { id, module });
    else {
      const fresh = kernels.filter((kernel) => !this.loadedKernels.has(kernel.id));
      for (const kernel of fresh) this.loadedKernels.add(kernel.id);
      const launches = compiled.launches.length;
      this.pool.load([...new Set(fresh)], { id, module, kernels: kernels.map((kernel) => kernel.id), launches });
    }
    const control = this.heap.alloc(counterBytes(compiled.launches.length) + compiled.slots * 4);
    return { id, compiled, control, small, lastRun: 0 };
  }

  /** Each kernel is compiled once. */
  private moduleOf(kernel: Kernel): LoadedModule {
    let entry = this.modules.get(kernel.key);
    if (entry === undefined) {
      const builder = new ModuleBuilder();
      kernel.emit(builder);
      const bytes = builder.encode(this.features.shared);
      debug('wasm', () => `${kernel.name}: ${bytes.length} bytes`);
      entry = { id: this.modules.size, module: new WebAssembly.Module(bytes) };
      this.modules.set(kernel.key, entry);
    }
    return entry;
  }

  /** A kernel as a function of the caller's thread: `f(piece, scratch, ...pointers)`. */
  kernelFunction(kernel: Kernel): (...args: number[]) => void {
    return this.caller.kernel(this.moduleOf(kernel)) as (...args: number[]) => void;
  }

  /** Gives up a program whose runs are all done. */
  forget(program: Loaded): void {
    this.heap.release(program.control);
    if (program.small) this.caller.forget(program.id);
    else this.pool.forget(program.id);
  }

  /** The arena and the threads' scratch, at least so large. Throws `HeapFull`. */
  reserve(arenaBytes: number, scratchBytes: number): void {
    this.enlarge(this.arena, arenaBytes);
    this.enlarge(this.scratch, scratchBytes * this.pool.threads);
  }

  /** Queues a run; returns its number. `reserve` was called for it. */
  run(program: Loaded, pointers: readonly number[], uploads: readonly Upload[], skip: readonly number[] = []): number {
    // The blocks of now: a later, larger one may lie where this job's inputs still are.
    const blocks = { arena: this.arena.address, scratch: this.scratch.address };
    const job: Job = { number: this.nextJob++, program, pointers, uploads, skip, ...blocks };
    program.lastRun = job.number;
    this.queue.push(job);
    this.advance();
    return job.number;
  }

  /** True while a run computes. */
  get isBusy(): boolean {
    return this.running !== undefined && !this.pool.idle;
  }

  /** True while nothing computes or waits: all free memory is really free. */
  get isIdle(): boolean {
    return this.queue.length === 0 && (this.running === undefined || this.pool.idle);
  }

  /** The number of the latest run that was queued. */
  get lastRun(): number {
    return this.nextJob - 1;
  }

  isDone(job: number): boolean {
    if (job > this.finished && this.running !== undefined && this.pool.idle) this.finish();
    return job <= this.finished;
  }

  /** Resolves when the job is done. */
  async done(job: number): Promise<void> {
    while (!this.isDone(job)) await new Promise<void>((resolve) => this.wake.push(resolve));
    if (this.failure) throw this.failure;
  }

  /** Resolves when everything that was queued is done. */
  async doneAll(): Promise<void> {
    await this.done(this.lastRun);
  }

  doneAllSync(): void {
    this.doneSync(this.lastRun);
  }

  /** Blocks until the job is done. */
  doneSync(job: number): void {
    while (!this.isDone(job)) {
      this.pool.doneSync();
      this.finish();
    }
    if (this.failure) throw this.failure;
  }

  /** Copies values into Wasm memory, widening bools. The memory must not be in use. */
  private write({ buffer, values }: Upload): void {
    const at = buffer.address / 4;
    if (values instanceof Float32Array) this.heap.f32.set(values, at);
    else this.heap.i32.set(values, at);
  }

  private advance(): void {
    if (this.running !== undefined) return;
    const job = this.queue.shift();
    if (job === undefined) return;
    this.running = job;
    const { program, pointers } = job;
    const { launches, scratchBytes } = program.compiled;
    for (const upload of job.uploads) this.write(upload);
    const counters = counterBytes(launches.length);
    const { i32 } = this.heap;
    i32.fill(0, program.control / 4, (program.control + counters) / 4);
    // A launch is skipped by telling the threads that all of its pieces are taken.
    for (const launch of job.skip) i32[program.control / 4 + launch] = ALL_TAKEN;
    pointers.forEach((pointer, slot) => {
      i32[(program.control + counters) / 4 + slot] = pointer;
    });
    const { arena, scratch } = job;
    const run: Run = { program: program.id, control: program.control, arena, scratch, scratchBytes };
    if (program.small) {
      try {
        this.caller.run(run);
      } catch (error) {
        this.failure = error instanceof Error ? error : new Error(String(error));
      }
      this.finish(job);
      return;
    }
    this.pool.begin(run);
    this.pool.done().then(
      () => this.finish(job),
      (error: Error) => {
        this.failure = error;
        this.finish(job);
      },
    );
  }

  /** Takes note of the end of the running job (or of `job`, if that still runs) and starts the next. */
  private finish(job = this.running): void {
    if (job === undefined || job !== this.running) return;
    this.running = undefined;
    this.finished = job.number;
    this.failure ??= this.pool.failed; // whoever asks may come before the promise's own news
    this.pool.rest();
    debug('time', () => {
      const starts = new Float64Array(this.heap.memory.buffer, MARKS, MAX_MARKS + 1);
      return printTimes(job.program.compiled, starts);
    });
    this.advance();
    const waiting = this.wake;
    this.wake = [];
    for (const resolve of waiting) resolve();
  }

  private enlarge(block: Block, bytes: number): void {
    if (bytes <= block.bytes) return;
    if (block.bytes > 0) this.heap.release(block.address);
    block.bytes = 0; // should the allocation fail, there is no block
    // A step's second program needs a little more than its first (the optimizer's slots). What the block leaves behind
    // stays resident, so it is made a quarter longer than asked: pages that nobody touches cost nothing.
    const roomy = Math.min(Math.ceil(bytes * 1.25), Math.floor(this.heap.room / 2));
    const size = Math.max(bytes, roomy);
    block.address = this.heap.alloc(size);
    block.bytes = size;
  }
}
