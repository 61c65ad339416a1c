/**
 * Runs small programs on the thread that asks for them. To wake the pool and hear from it takes 0.1 ms; ordinary code
 * full of tiny operations would do little else. The bits are the same: work is cut by shapes alone.
 */
import type { Compiled } from '../compile.ts';
import type { Run } from './pool.ts';
import type { LoadedModule } from './worker.ts';

/** Estimated microseconds of work below which a program runs on the caller's thread, and launches it may have. */
const SMALL_TIME = 40;
const SMALL_LAUNCHES = 64;

/** True for programs that are done sooner than another thread would have heard of them. */
export function isSmall({ launches }: Compiled): boolean {
  // Rates of code that is not optimised yet: 2 GFLOP/s, 4 GB/s.
  const time = launches.reduce((sum, { kernel }) => sum + kernel.flops / 2000 + kernel.bytes / 4000, 0);
  return launches.length <= SMALL_LAUNCHES && time <= SMALL_TIME;
}

type Program = (control: number, scratch: number, arena: number, threads: number, thread: number) => void;

export class CallerThread {
  private readonly env: WebAssembly.ModuleImports;
  private readonly kernels = new Map<number, WebAssembly.ExportValue>();
  private readonly programs = new Map<number, Program>();

  /** `mark` notes the start of a launch, where programs are timed. */
  constructor(memory: WebAssembly.Memory, mark: (launch: number) => void) {
    this.env = { memory, mark };
  }

  load(kernels: readonly LoadedModule[], program: LoadedModule): void {
    const { env } = this;
    const k: WebAssembly.ModuleImports = {};
    kernels.forEach((kernel, i) => {
      k[`k${i}`] = this.kernel(kernel);
    });
    this.programs.set(program.id, new WebAssembly.Instance(program.module, { env, k }).exports.run as Program);
  }

  /** A kernel's function, on this thread. */
  kernel({ id, module }: LoadedModule): WebAssembly.ExportValue {
    const { env } = this;
    const kernel = this.kernels.get(id) ?? new WebAssembly.Instance(module, { env }).exports.k;
    this.kernels.set(id, kernel);
    return kernel;
  }

  forget(program: number): void {
    this.programs.delete(program);
  }

  /** Runs a program to its end, as the only thread. */
  run({ program, control, scratch, arena }: Run): void {
    const run = this.programs.get(program);
    if (run === undefined) throw new Error('internal: a program was not loaded');
    run(control, scratch, arena, 1, 0);
  }
}
