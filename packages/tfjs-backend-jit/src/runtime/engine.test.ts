import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Compiled } from '../compile.ts';
import type { Kernel } from '../kernels/kernel.ts';
import { type Expr, f32, i32 } from '../wasm/assembler.ts';
import { Engine } from './engine.ts';
import { InlinePool } from './inline-pool.ts';
import { createMemory } from './platform.ts';
import { ThreadPool } from './pool.ts';
import { emitProgram, type Launch } from './program.ts';

const PIECES = 7;

/** y[piece] = x[(piece + 1) mod 7] + 1: wrong at once if a launch starts before the one before it is whole. */
const rotate: Kernel = {
  name: 'rotate',
  key: 'rotate',
  buffers: 2,
  pieces: PIECES,
  scratch: 0,
  flops: PIECES,
  bytes: 8 * PIECES,
  emit(m) {
    m.func('k', ['i32', 'i32', 'i32', 'i32'], [], (f) => {
      const [piece, , x, y] = f.params;
      const from = i32.rem_u(i32.add(piece, i32.const(1)), i32.const(PIECES));
      const word = (base: Expr, index: Expr) => i32.add(base, i32.shl(index, i32.const(2)));
      f.push(f32.store(word(y, piece), f32.add(f32.load(word(x, from)), f32.const(1))));
    });
  },
};

/** Divides by zero. */
const trap: Kernel = {
  ...rotate,
  key: 'trap',
  emit(m) {
    m.func('k', ['i32', 'i32', 'i32', 'i32'], [], (f) => f.drop(i32.div_u(f.param(0), i32.const(0))));
  },
};

function program(launches: number, shared = true, kernel = rotate): Compiled {
  const there: Launch = {
    kernel,
    pointers: [
      { kind: 'external', slot: 0 },
      { kind: 'external', slot: 1 },
    ],
  };
  const back: Launch = { kernel, pointers: there.pointers.toReversed() };
  const list = Array.from({ length: launches }, (_, i) => (i % 2 === 0 ? there : back));
  return {
    launches: list,
    slots: 2,
    outputs: [],
    fresh: [],
    kept: [],
    writesInputs: false,
    arenaBytes: 0,
    scratchBytes: 0,
    kernels: [kernel],
    wasm: emitProgram(list, [kernel], false, shared),
  };
}

for (const threads of [0, 1, 2, 3]) {
  const who = threads === 0 ? 'the caller as the only thread' : `${threads} thread${threads === 1 ? '' : 's'}`;
  test(`every launch sees the whole of the one before it, with ${who}, over many runs`, async () => {
    const shared = threads > 0;
    const memory = createMemory(shared);
    const pool = shared ? await ThreadPool.start(memory, threads) : new InlinePool(memory);
    after(() => pool.end());
    const engine = new Engine(memory, { relaxed: false, wide: false, shared }, pool);
    const [x, y] = [engine.heap.alloc(256), engine.heap.alloc(256)];
    const launches = 400;
    const loaded = engine.load(program(launches, shared));
    engine.reserve(0, 0);
    engine.heap.f32.fill(0, x / 4, x / 4 + PIECES);
    const runs = threads <= 2 ? 300 : 10;
    let last = 0;
    for (let run = 0; run < runs; run++) {
      last = engine.run(loaded, [x, y], []);
      if (run % 50 === 20) engine.doneSync(last);
      if (run % 50 === 45) await engine.done(last);
    }
    await engine.done(last);
    assert.ok(engine.isDone(last));
    const total = launches * runs;
    assert.deepEqual([...engine.heap.f32.subarray(x / 4, x / 4 + PIECES)], Array(PIECES).fill(total));
  });

  test(`after the end every wait is an error, with ${who}`, async () => {
    const shared = threads > 0;
    const memory = createMemory(shared);
    const pool = shared ? await ThreadPool.start(memory, threads) : new InlinePool(memory);
    const engine = new Engine(memory, { relaxed: false, wide: false, shared }, pool);
    const [x, y] = [engine.heap.alloc(256), engine.heap.alloc(256)];
    const loaded = engine.load(program(2000, shared));
    engine.reserve(0, 0);
    const waiting = assert.rejects(engine.done(engine.run(loaded, [x, y], [])), /the backend was disposed of/);
    pool.end();
    await waiting;
    const later = engine.run(loaded, [x, y], []);
    assert.throws(() => engine.doneSync(later), /the backend was disposed of/);
  });

  test(`a kernel that traps is an error for all who wait, with ${who}`, async () => {
    for (const wait of ['done', 'doneSync'] as const) {
      const shared = threads > 0;
      const memory = createMemory(shared);
      const pool = shared ? await ThreadPool.start(memory, threads) : new InlinePool(memory);
      const engine = new Engine(memory, { relaxed: false, wide: false, shared }, pool);
      // As many launches as are not run on the caller's own thread.
      const loaded = engine.load(program(100, shared, trap));
      engine.reserve(0, 0);
      const job = engine.run(loaded, [0, 0], []);
      await assert.rejects(async () => engine[wait](job), /trapped|divide by zero/);
      pool.end();
    }
  });
}
