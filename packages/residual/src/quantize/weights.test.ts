import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dequantizeWeights, quantizeBias, quantizeWeights, smallestScales } from './weights.ts';

// Two inputs, three output channels of very different size.
const values = Float32Array.of(1, 0.012, -100, -0.6, 0.02, 55);

test('each output channel has a scale of its own, so that small ones keep their digits', () => {
  const { values: integers, scales } = quantizeWeights(values, 3);
  assert.deepEqual([...integers], [127, 76, -127, -76, 127, 70]);
  assert.deepEqual([...scales], [1 / 127, 0.02 / 127, 100 / 127].map(Math.fround));
  const { values: coarse, scales: one } = quantizeWeights(values, 3, { granularity: 'per-tensor' });
  assert.deepEqual([...coarse], [1, 0, -127, -1, 0, 70]);
  assert.equal(one.length, 1);
  const back = dequantizeWeights({ values: integers, scales });
  assert.ok(Math.abs(back[1] - 0.012) < 0.02 / 127);
});

test('fewer bits leave fewer integers', () => {
  assert.deepEqual([...quantizeWeights(values, 3, { bits: 3 }).values], [3, 2, -3, -2, 3, 2]);
});

test('a bias that is large beside its weights keeps within 32 bits', () => {
  const bias = Float32Array.of(5, 0, -3);
  const tiny = values.map((value) => value * 1e-12);
  const inputScale = 0.02;
  const { scales } = quantizeWeights(tiny, 3, { atLeast: smallestScales(bias, inputScale) });
  const integers = quantizeBias(bias, inputScale, scales);
  for (const [c, value] of bias.entries()) {
    assert.ok(Math.abs(integers[c] * inputScale * scales[c] - value) < 1e-6, `${value}`);
    assert.ok(Math.abs(integers[c]) <= 2 ** 30 + 128);
  }
  assert.deepEqual([...quantizeWeights(new Float32Array(3), 3).scales], [1, 1, 1]);
});
