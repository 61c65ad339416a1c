/**
 * A program: a list of launches compiled to one Wasm function that every thread runs from end to end.
 * Threads take the pieces of a launch from a shared counter and meet at a barrier before the next that depends on it.
 */
import type { Kernel } from '../kernels/kernel.ts';
import { call, type Expr, type Func, i32, type Local, ModuleBuilder } from '../wasm/assembler.ts';
import { BARRIER_COUNT, BARRIER_GENERATION, MAX_MARKS } from './control.ts';

/** Where a kernel's pointer points: an external tensor (by its slot in the pointer table) or a place in the arena. */
export type Pointer =
  | { readonly kind: 'external'; readonly slot: number }
  | { readonly kind: 'arena'; readonly offset: number };

export interface Launch {
  readonly kernel: Kernel;
  readonly pointers: readonly Pointer[];
  /** The next launch may begin before this one has ended: neither touches what the other writes. */
  readonly overlaps?: boolean;
}

/** Spins before a thread sleeps at a barrier: some 0.2 ms; a wake-up from sleep costs 30 µs, a spin 0.1 µs. */
const BARRIER_SPINS = 20000;

/** Bytes of launch counters at the start of a program's control block; the pointer table follows. */
export function counterBytes(launches: number): number {
  return (launches * 4 + 63) & ~63;
}

/**
 * Emits `run(control, scratch, arena, threads, thread)`. Imports: `k.k0 …` (kernels by their place in `kernels`)
 * and, when timed, `env.mark(i)`, which thread 0 calls before launch i and after the last.
 *
 * Without shared memory there is one thread, and it wants to be free in between: instead of `run`, each launch is
 * exported, in order, as `(control, scratch, arena) -> i32`: runs one piece, and gives 0 when there was none left.
 */
export function emitProgram(
  launches: readonly Launch[],
  kernels: readonly Kernel[],
  timed: boolean,
  shared = true,
): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  const mark = timed && shared ? m.importFunc('env', 'mark', ['i32']) : -1;
  const imports = new Map(
    kernels.map((kernel, i) => [
      kernel.key,
      m.importFunc(
        'k',
        `k${i}`,
        Array.from({ length: kernel.buffers + 2 }, () => 'i32' as const),
      ),
    ]),
  );
  const table = counterBytes(launches.length);
  /** What runs one piece of a launch, with its pointers in locals. */
  const runner = (f: Func, { kernel, pointers }: Launch, piece: Local) => {
    const [control, scratch, arena] = f.params;
    const func = imports.get(kernel.key);
    if (func === undefined) throw new Error(`internal: kernel ${kernel.name} is not imported`);
    const args = pointers.map((pointer) => {
      const local = f.local('i32');
      f.set(local, address(pointer, control, arena, table));
      return local;
    });
    return () => f.push(call(func, piece, scratch, ...args));
  };
  if (!shared) {
    launches.forEach((launch, index) => {
      m.func(`l${index}`, ['i32', 'i32', 'i32'], ['i32'], (f) => {
        const control = f.param(0);
        const piece = f.local('i32');
        f.set(piece, i32.load(control, index * 4));
        f.if(i32.ge_u(piece, i32.const(launch.kernel.pieces)), () => {
          f.push(i32.const(0));
          f.return();
        });
        f.push(i32.store(control, i32.add(piece, i32.const(1)), index * 4));
        runner(f, launch, piece)();
        f.push(i32.const(1));
      });
    });
    return m.encode(false);
  }
  const barrier = m.func(null, ['i32'], [], (f) => emitBarrier(f));
  // One function per launch keeps each small: V8 compiles and optimises function by function.
  const bodies = launches.map((launch, index) =>
    m.func(null, ['i32', 'i32', 'i32'], [], (f) => {
      const control = f.param(0);
      const piece = f.local('i32');
      const body = runner(f, launch, piece);
      f.block((end) => {
        f.loop((top) => {
          f.set(piece, i32.atomic_rmw_add(control, i32.const(1), index * 4));
          f.brIf(end, i32.ge_u(piece, i32.const(launch.kernel.pieces)));
          body();
          f.br(top);
        });
      });
    }),
  );
  m.func('run', ['i32', 'i32', 'i32', 'i32', 'i32'], [], (f) => {
    const [control, scratch, arena, threads, thread] = f.params;
    const stamp = (i: number) => {
      if (timed && i < MAX_MARKS) f.if(i32.eqz(thread), () => f.push(call(mark, i32.const(i))));
    };
    bodies.forEach((body, i) => {
      stamp(i);
      f.push(call(body, control, scratch, arena));
      // Timed programs wait everywhere, so that each launch has a time of its own.
      if (timed || !launches[i].overlaps) f.push(call(barrier, threads));
    });
    stamp(bodies.length);
  });
  return m.encode();
}

function address(pointer: Pointer, control: Local, arena: Local, table: number): Expr {
  if (pointer.kind === 'external') return i32.load(control, table + 4 * pointer.slot);
  return i32.add(arena, i32.const(pointer.offset | 0));
}

/** A barrier for `threads` threads: the last to arrive resets the count and raises the generation; the others spin, then sleep. */
function emitBarrier(f: Func): void {
  const threads = f.param(0);
  const generation = f.local('i32');
  const spins = f.local('i32');
  const zero = i32.const(0);
  f.if(i32.le_u(threads, i32.const(1)), () => f.return());
  f.set(generation, i32.atomic_load(zero, BARRIER_GENERATION));
  f.if(
    i32.eq(i32.atomic_rmw_add(zero, i32.const(1), BARRIER_COUNT), i32.sub(threads, i32.const(1))),
    () => {
      f.push(i32.atomic_store(zero, zero, BARRIER_COUNT));
      f.push(i32.atomic_store(zero, i32.add(generation, i32.const(1)), BARRIER_GENERATION));
      f.drop(i32.atomic_notify(zero, i32.const(-1), BARRIER_GENERATION));
    },
    () => {
      f.block((released) => {
        f.set(spins, i32.const(BARRIER_SPINS));
        f.loop((top) => {
          f.brIf(released, i32.ne(i32.atomic_load(zero, BARRIER_GENERATION), generation));
          f.set(spins, i32.sub(spins, i32.const(1)));
          f.brIf(top, spins);
        });
        f.loop((top) => {
          f.drop(i32.atomic_wait(zero, generation, BARRIER_GENERATION));
          f.brIf(top, i32.eq(i32.atomic_load(zero, BARRIER_GENERATION), generation));
        });
      });
    },
  );
}
