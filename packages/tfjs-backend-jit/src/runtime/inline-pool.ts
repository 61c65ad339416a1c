/**
 * The pool where there are no threads: programs run on the caller's own thread, piece by piece.
 * It gives the thread back every few milliseconds, so that a page without workers stays alive while it trains.
 */
import { MARKS, MAX_MARKS } from './control.ts';
import type { Pool, Run } from './pool.ts';
import type { LoadedModule, LoadedProgram } from './worker.ts';

/** Half a frame at 60 Hz: as long as nobody notices. */
const SLICE_MS = 8;

/** Runs one piece of a launch; 0 when there was none left. */
type Launch = (control: number, scratch: number, arena: number) => number;

export class InlinePool implements Pool {
  readonly threads = 1;
  private readonly memory: WebAssembly.Memory;
  private readonly kernels = new Map<number, WebAssembly.ExportValue>();
  private readonly programs = new Map<number, readonly Launch[]>();
  /** Runs the next piece; true when the run is done. Undefined: nothing runs. */
  private step: (() => boolean) | undefined;
  private failure: Error | undefined;
  private waiting: (() => void)[] = [];
  private turns: MessageChannel | undefined;

  constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
  }

  load(kernels: readonly LoadedModule[], program: LoadedProgram): void {
    const env = { memory: this.memory };
    for (const { id, module } of kernels) {
      this.kernels.set(id, new WebAssembly.Instance(module, { env }).exports.k);
    }
    const imports: Record<string, WebAssembly.ImportValue> = {};
    program.kernels.forEach((id, i) => {
      imports[`k${i}`] = this.kernels.get(id) as WebAssembly.ImportValue;
    });
    const { exports } = new WebAssembly.Instance(program.module, { env, k: imports });
    this.programs.set(program.id, Object.values(exports) as unknown as readonly Launch[]);
  }

  forget(program: number): void {
    this.programs.delete(program);
  }

  begin({ program, control, scratch, arena }: Run): void {
    const launches = this.programs.get(program);
    if (launches === undefined) throw new Error(`internal: program ${program} is not loaded`);
    let next = 0;
    this.mark(0);
    this.step = () => {
      while (next < launches.length && launches[next](control, scratch, arena) === 0) this.mark(++next);
      return next === launches.length;
    };
    this.takeTurn();
  }

  get idle(): boolean {
    return this.step === undefined;
  }

  async done(): Promise<void> {
    while (!this.idle) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.check();
  }

  doneSync(): void {
    this.work(Number.POSITIVE_INFINITY);
    this.check();
  }

  rest(): void {}

  end(): void {
    this.turns?.port1.close();
    this.failure ??= new Error('the backend was disposed of');
    this.stop();
  }

  /** Runs pieces until the time is over or the run is. */
  private work(milliseconds: number): void {
    const { step } = this;
    if (step === undefined) return;
    const end = performance.now() + milliseconds;
    try {
      while (!step()) if (performance.now() >= end) return;
    } catch (error) {
      this.failure = new Error(`internal: a kernel trapped: ${error}`);
    }
    this.stop();
  }

  private stop(): void {
    this.step = undefined;
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Works in a task of its own, and then in another, until the run is done. A timer would wait 4 ms each time. */
  private takeTurn(): void {
    if (this.turns === undefined) {
      this.turns = new MessageChannel();
      this.turns.port1.onmessage = () => {
        this.work(SLICE_MS);
        if (!this.idle) this.takeTurn();
      };
    }
    this.turns.port2.postMessage(undefined);
  }

  /** For `JIT_DEBUG=time`: when launch `index` began. */
  private mark(index: number): void {
    if (index <= MAX_MARKS) new Float64Array(this.memory.buffer, MARKS, index + 1)[index] = performance.now();
  }

  private check(): void {
    if (this.failure !== undefined) throw this.failure;
  }
}
