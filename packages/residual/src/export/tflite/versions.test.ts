import assert from 'node:assert/strict';
import { test } from 'node:test';
import { minimumRuntime, versionOf } from './versions.ts';

test('operators in 8-bit integers have the versions that the specification of int8 lists', () => {
  const listed = {
    CONV_2D: 3,
    DEPTHWISE_CONV_2D: 3,
    ADD: 2,
    MAX_POOL_2D: 2,
    AVERAGE_POOL_2D: 2,
    MEAN: 2,
    FULLY_CONNECTED: 4,
    SOFTMAX: 2,
    PAD: 2,
    DEQUANTIZE: 2,
    RESHAPE: 1,
  } as const;
  for (const [op, version] of Object.entries(listed)) {
    assert.equal(
      versionOf(op as keyof typeof listed, { input: 'int8', weights: 'int8', perChannel: true }),
      version,
      op,
    );
  }
  assert.equal(versionOf('CONV_2D', { input: 'float32', weights: 'int8', perChannel: true }), 5);
  assert.equal(versionOf('DEQUANTIZE', { input: 'float16' }), 3);
});

test('the oldest runtime is that of the youngest operator, by number', () => {
  assert.equal(minimumRuntime([{ op: 'CONV_2D', version: 1 }]), '1.5.0');
  const mixed = [
    { op: 'ADD', version: 2 },
    { op: 'MEAN', version: 1 },
    { op: 'CONV_2D', version: 5 },
  ] as const;
  assert.equal(minimumRuntime(mixed), '2.4.0');
  assert.equal(
    minimumRuntime([
      { op: 'PADV2', version: 1 },
      { op: 'DEQUANTIZE', version: 1 },
    ]),
    '1.13.1',
  );
});
