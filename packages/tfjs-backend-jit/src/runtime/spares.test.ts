import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Heap } from './heap.ts';
import { Spares } from './spares.ts';

function start() {
  const heap = new Heap(new WebAssembly.Memory({ initial: 1, maximum: 4, shared: true }), 1024);
  const spares = new Spares(heap);
  const put = (bytes: number, run: number) => {
    const address = heap.alloc(bytes);
    spares.put({ address, bytes, run });
    return address;
  };
  return { heap, spares, put };
}

test('memory is given again when its last run is done, and for the same size only', () => {
  const { spares, put } = start();
  const address = put(512, 7);
  assert.equal(
    spares.take(512, (run) => run <= 6),
    undefined,
  );
  assert.equal(
    spares.take(256, () => true),
    undefined,
  );
  assert.equal(
    spares.take(512, (run) => run <= 7),
    address,
  );
  assert.equal(
    spares.take(512, () => true),
    undefined,
    'once',
  );
});

test('three stay, the oldest goes back to the heap, and all do when the heap is full', () => {
  const { heap, spares, put } = start();
  for (const run of [1, 2, 3, 4]) put(1024, run);
  assert.equal(spares.bytes, 3 * 1024);
  assert.equal(heap.used, 3 * 1024);
  assert.equal(
    spares.take(1024, (run) => run === 1),
    undefined,
    'the oldest is gone',
  );
  assert.equal(spares.release(), true);
  assert.equal(heap.used, 0);
  assert.equal(spares.release(), false, 'nothing is left to give');
});
