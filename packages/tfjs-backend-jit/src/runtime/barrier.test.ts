/**
 * The barrier between launches under stress: no wake-up is lost and nobody waits forever, with as many threads as the
 * machine has, with more, and where threads fall asleep. `JIT_STRESS=1` makes it a million barriers of each kind.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Compiled } from '../compile.ts';
import type { Kernel } from '../kernels/kernel.ts';
import { type Expr, f32, i32 } from '../wasm/assembler.ts';
import { Engine } from './engine.ts';
import { createMemory } from './platform.ts';
import { ThreadPool } from './pool.ts';
import { emitProgram, type Launch } from './program.ts';

const PIECES = 8;
const LAUNCHES = 1000;

/**
 * y[piece] = x[(piece + 1) mod 8] + 1: wrong for good if one thread passes a barrier early. With `late`, piece 0 first
 * dawdles, each time for another while of up to three times as long as others spin: they go to sleep just before, while
 * or long before they are woken.
 */
function rotate(late: boolean): Kernel {
  return {
    name: 'rotate',
    key: `rotate ${late}`,
    buffers: 2,
    pieces: PIECES,
    scratch: 0,
    flops: PIECES,
    bytes: 8 * PIECES,
    emit(m) {
      m.func('k', ['i32', 'i32', 'i32', 'i32'], [], (f) => {
        const [piece, , x, y] = f.params;
        const word = (base: Expr, index: Expr) => i32.add(base, i32.shl(index, i32.const(2)));
        if (late) {
          const rounds = f.local('i32');
          const step = i32.trunc_sat_f32_u(f32.load(x));
          f.if(i32.eqz(piece), () => {
            // The upper 16 bits of a multiplicative hash: 0 to 65,535 rounds.
            f.set(rounds, i32.shr_u(i32.mul(step, i32.const(0x9e3779b1 | 0)), i32.const(16)));
            f.block((end) => {
              f.loop((top) => {
                f.brIf(end, i32.eqz(rounds));
                f.set(rounds, i32.sub(rounds, i32.const(1)));
                f.drop(i32.atomic_load(x));
                f.br(top);
              });
            });
          });
        }
        const from = i32.rem_u(i32.add(piece, i32.const(1)), i32.const(PIECES));
        f.push(f32.store(word(y, piece), f32.add(f32.load(word(x, from)), f32.const(1))));
      });
    },
  };
}

function program(kernel: Kernel): Compiled {
  const there: Launch = {
    kernel,
    pointers: [
      { kind: 'external', slot: 0 },
      { kind: 'external', slot: 1 },
    ],
  };
  const back: Launch = { kernel, pointers: there.pointers.toReversed() };
  const launches = Array.from({ length: LAUNCHES }, (_, i) => (i % 2 === 0 ? there : back));
  const wasm = emitProgram(launches, [kernel], false);
  return {
    launches,
    slots: 2,
    outputs: [],
    fresh: [],
    kept: [],
    writesInputs: false,
    arenaBytes: 0,
    scratchBytes: 0,
    kernels: [kernel],
    wasm,
  };
}

interface Stress {
  readonly threads: number;
  readonly late: boolean;
  /** In the usual run. */
  readonly barriers: number;
}

const KINDS: Readonly<Record<string, Stress>> = {
  'two threads': { threads: 2, late: false, barriers: 300_000 },
  'two threads, one of them late, so that the other sleeps': { threads: 2, late: true, barriers: 10_000 },
  'more threads than cores': { threads: 5, late: false, barriers: 10_000 },
  'more threads than cores, one of them late': { threads: 5, late: true, barriers: 3000 },
};

const whole = process.env.JIT_STRESS === '1';

for (const [name, { threads, late, barriers }] of Object.entries(KINDS)) {
  const total = whole ? 1_000_000 : barriers;
  test(`${total} barriers: ${name}`, { timeout: whole ? 3_600_000 : 60_000 }, async () => {
    const memory = createMemory();
    const pool = await ThreadPool.start(memory, threads);
    try {
      const engine = new Engine(memory, { relaxed: false, wide: false }, pool);
      const [x, y] = [engine.heap.alloc(256), engine.heap.alloc(256)];
      engine.heap.f32.fill(0, x / 4, x / 4 + PIECES);
      const loaded = engine.load(program(rotate(late)));
      engine.reserve(0, 0);
      let last = 0;
      for (let run = 0; run < total / LAUNCHES; run++) {
        last = engine.run(loaded, [x, y], []);
        // The threads' waits for the next run are under stress as well: in a queue, after a pause, at once.
        if (run % 3 === 0) await engine.done(last);
        if (run % 7 === 0) engine.doneSync(last);
        if (run % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await engine.done(last);
      assert.deepEqual([...engine.heap.f32.subarray(x / 4, x / 4 + PIECES)], Array(PIECES).fill(total));
    } finally {
      pool.end();
    }
  });
}
