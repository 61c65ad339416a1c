import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overlaps, type Touch } from './overlaps.ts';

const at = (offset: number, writes: boolean, bytes = 128): Touch => ({
  pointer: { kind: 'arena', offset },
  bytes,
  writes,
});
const slot = (slot: number, writes: boolean): Touch => ({ pointer: { kind: 'external', slot }, bytes: 128, writes });

test('a launch runs beside the next unless one writes what the other touches', () => {
  assert.deepEqual(
    overlaps([
      [at(0, false), at(128, true)],
      [at(0, false), at(256, true)],
    ]),
    [true, false],
  );
  assert.deepEqual(overlaps([[at(0, true)], [at(0, false)]]), [false, false], 'read after write');
  assert.deepEqual(overlaps([[at(0, false)], [at(64, true)]]), [false, false], 'write after read, in part');
  assert.deepEqual(overlaps([[slot(1, true)], [slot(1, true)]]), [false, false], 'write after write');
  assert.deepEqual(overlaps([[slot(1, true)], [slot(2, true)], [at(0, true)]]), [true, true, false]);
});

test('a launch waits for all that run beside the one before it', () => {
  const launches = [[at(0, true)], [at(128, true)], [at(0, false), at(256, true)], [at(128, false)]];
  assert.deepEqual(overlaps(launches), [true, false, true, false]);
});
