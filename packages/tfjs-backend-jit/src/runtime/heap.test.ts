import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '../kernels/testing.ts';
import { Heap, HeapFull } from './heap.ts';

function heap(limit?: number): Heap {
  return new Heap(new WebAssembly.Memory({ initial: 2, maximum: 65536, shared: true }), 65536, limit);
}

test('blocks never overlap, are aligned, and freed memory is used again', () => {
  const h = heap();
  const random = seeded(3);
  const live = new Map<number, number>();
  for (let i = 0; i < 3000; i++) {
    if (random() < 0.55 || live.size === 0) {
      const bytes = Math.floor(random() ** 4 * 100_000) + 1;
      const at = h.alloc(bytes);
      assert.equal(at % 128, 0);
      for (const [start, size] of live) assert.ok(at + bytes <= start || start + size <= at, 'two blocks overlap');
      assert.ok(at + bytes <= h.memory.buffer.byteLength);
      live.set(at, bytes);
    } else {
      const [start] = [...live.keys()].sort(() => random() - 0.5);
      h.release(start);
      live.delete(start);
    }
  }
  for (const start of live.keys()) h.release(start);
  assert.equal(h.used, 0);
  const before = h.memory.buffer.byteLength;
  h.alloc(before - 2 * 65536);
  assert.equal(h.memory.buffer.byteLength, before, 'all free blocks were joined again');
});

test('a full memory says what was needed, and stays usable', () => {
  const h = heap(10 * 65536);
  assert.throws(
    () => h.alloc(20 * 65536),
    (error) => error instanceof HeapFull && error.need === 20 * 65536,
  );
  assert.ok(h.alloc(4 * 65536) > 0);
});

test('views follow the growth of the memory', () => {
  const h = heap();
  const at = h.alloc(1 << 22);
  h.f32[at / 4 + 1000] = 7;
  h.alloc(1 << 24);
  assert.equal(h.f32[at / 4 + 1000], 7);
});
