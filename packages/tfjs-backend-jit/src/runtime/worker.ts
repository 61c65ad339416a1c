/**
 * The body of a compute thread. It is one self-contained function, because it is started from its own source text:
 * so it needs no file of its own, in Node, in a bundle and in a page alike.
 */

/** From the main thread to a worker. */
export type WorkerMessage =
  | {
      readonly kind: 'start';
      readonly memory: WebAssembly.Memory;
      readonly thread: number;
      readonly threads: number;
      readonly words: ControlWords;
      /** Post `done` after each run: for a main thread that has no other way to wait. */
      readonly tellsDone: boolean;
    }
  | { readonly kind: 'load'; readonly kernels: readonly LoadedModule[]; readonly program: LoadedProgram }
  | { readonly kind: 'forget'; readonly program: number };

/** From a worker to the main thread. */
export type Report = { readonly ready: number } | { readonly done: number } | { readonly error: string };

export interface LoadedModule {
  readonly id: number;
  readonly module: WebAssembly.Module;
}

export interface LoadedProgram extends LoadedModule {
  /** Kernel ids, in the order of the program's imports `k0`, `k1`, … */
  readonly kernels: readonly number[];
}

/** Byte addresses of `control.ts`, handed over since the worker imports nothing. */
export interface ControlWords {
  readonly SEQUENCE: number;
  readonly PROGRAM: number;
  readonly CONTROL: number;
  readonly ARENA: number;
  readonly SCRATCH: number;
  readonly SCRATCH_BYTES: number;
  readonly FINISHED: number;
  readonly DONE: number;
  readonly FAILED: number;
  readonly MARKS: number;
}

interface Port {
  post(message: Report): void;
  listen(handler: (message: WorkerMessage) => void): void;
}

/** Runs in the worker. No free variables: only its argument and globals. */
export function workerMain(port: Port): void {
  type Run = (control: number, scratch: number, arena: number, threads: number, thread: number) => void;
  const kernels = new Map<number, CallableFunction>();
  const programs = new Map<number, Run>();
  let memory: WebAssembly.Memory | undefined;
  let words: ControlWords | undefined;
  let thread = 0;
  let threads = 1;
  let sequence = 0;
  let tellsDone = false;

  /** Ends the run for whoever waits: the other threads may never finish it. */
  const fail = (error: unknown) => {
    port.post({ error: String(error instanceof Error ? error.stack : error) });
    if (memory === undefined || words === undefined) return;
    const i32 = new Int32Array(memory.buffer, 0, 16384);
    Atomics.store(i32, words.FAILED >> 2, 1);
    Atomics.store(i32, words.DONE >> 2, Atomics.load(i32, words.SEQUENCE >> 2));
    Atomics.notify(i32, words.DONE >> 2);
  };

  const serve = () => {
    if (memory === undefined || words === undefined) return;
    const i32 = new Int32Array(memory.buffer, 0, 16384);
    const word = (address: number) => address >> 2;
    for (;;) {
      // A spin of some 0.1 ms before sleeping: waking a sleeping thread costs 30 µs, and steps come in bursts.
      let next = Atomics.load(i32, word(words.SEQUENCE));
      for (let spin = 0; next === sequence && spin < 4000; spin++) next = Atomics.load(i32, word(words.SEQUENCE));
      while (next === sequence) {
        Atomics.wait(i32, word(words.SEQUENCE), sequence);
        next = Atomics.load(i32, word(words.SEQUENCE));
      }
      const run = programs.get(Atomics.load(i32, word(words.PROGRAM)));
      if (run === undefined) return; // its modules wait in the message queue: let the event loop deliver them
      sequence = next;
      try {
        const scratch = i32[word(words.SCRATCH)] + thread * i32[word(words.SCRATCH_BYTES)];
        run(i32[word(words.CONTROL)], scratch, i32[word(words.ARENA)], threads, thread);
      } catch (error) {
        fail(error);
        return;
      }
      if (Atomics.add(i32, word(words.FINISHED), 1) === threads - 1) {
        Atomics.store(i32, word(words.DONE), sequence);
        Atomics.notify(i32, word(words.DONE));
        if (tellsDone) port.post({ done: sequence });
      }
    }
  };

  const take = (message: WorkerMessage) => {
    if (message.kind === 'start') {
      ({ memory, words, thread, threads, tellsDone } = message);
      port.post({ ready: thread });
    } else if (message.kind === 'forget') {
      programs.delete(message.program);
    } else if (memory !== undefined && words !== undefined) {
      const marks = words.MARKS;
      const shared = memory;
      const env = {
        memory,
        mark: (index: number) => {
          new Float64Array(shared.buffer, marks, index + 1)[index] = performance.now();
        },
      };
      for (const { id, module } of message.kernels) {
        kernels.set(id, new WebAssembly.Instance(module, { env }).exports.k as CallableFunction);
      }
      const { program } = message;
      const imports: Record<string, WebAssembly.ImportValue> = {};
      program.kernels.forEach((id, i) => {
        imports[`k${i}`] = kernels.get(id) as WebAssembly.ImportValue;
      });
      programs.set(program.id, new WebAssembly.Instance(program.module, { env, k: imports }).exports.run as Run);
    }
    serve();
  };

  port.listen((message) => {
    try {
      take(message);
    } catch (error) {
      fail(error);
    }
  });
}
