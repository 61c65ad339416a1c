import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EndedCall, watched } from './watchdog.ts';

test('gives what the call gives, and throws what it throws', () => {
  const value = {};
  assert.equal(
    watched(() => value, 0),
    value,
  );
  const error = new RangeError('its own');
  assert.throws(
    () =>
      watched(() => {
        throw error;
      }, 0),
    error,
  );
});

test('ends WebAssembly that runs in circles', async () => {
  // (func (export "f") (loop br 0))
  const code = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0];
  const { instance } = await WebAssembly.instantiate(Uint8Array.of(...code, 10, 9, 1, 7, 0, 3, 64, 12, 0, 11, 11));
  const circle = instance.exports.f as () => void;
  // A machine that is busy may have given it too little time at first.
  const hopeless = [0, 1, 2, 3].some((tries) => {
    try {
      watched(circle, tries);
      return false;
    } catch (error) {
      assert.ok(error instanceof EndedCall);
      return error.hopeless;
    }
  });
  assert.ok(hopeless);
  assert.equal(
    watched(() => 7, 0),
    7,
  );
});
