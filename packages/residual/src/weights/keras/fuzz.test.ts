import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzReader } from '../testing/fuzzing.ts';
import { fixture } from './testing.ts';

test('damaged files give clear errors', async () => {
  const names = ['keras3.h5', 'keras3.weights.h5', 'keras2.weights-only.h5', 'odd.h5'];
  const valid = names.map((name) => ({ label: name, main: name, files: { [name]: fixture(name) } }));
  const module = new URL('./read-keras.ts', import.meta.url);
  const result = await fuzzReader({ module, reader: 'readKeras', valid });
  console.log(result);
  assert.ok(result.accepted > 100 && result.refused > 500);
});
