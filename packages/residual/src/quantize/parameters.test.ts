import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dequantizeValues, parametersOf, quantizeValues, roundAway, roundEven } from './parameters.ts';

test('a range fills the integers, and 0 is exactly one of them', () => {
  assert.deepEqual(parametersOf({ min: 0, max: 255 }), { scale: 1, zeroPoint: -128 });
  assert.deepEqual(parametersOf({ min: 3, max: 51 }), { scale: Math.fround(0.2), zeroPoint: -128 });
  const { scale, zeroPoint } = parametersOf({ min: -1, max: 4.1 });
  assert.equal(scale, Math.fround(0.02));
  assert.equal(zeroPoint, -78);
  assert.equal(dequantizeValues(quantizeValues(Float32Array.of(0), { scale, zeroPoint }), { scale, zeroPoint })[0], 0);
  assert.deepEqual(parametersOf({ min: 0, max: 0 }), { scale: 1, zeroPoint: -128 });
  assert.deepEqual(parametersOf({ min: -2, max: 1 }, { scheme: 'symmetric' }), {
    scale: Math.fround(2 / 127),
    zeroPoint: 0,
  });
});

test('no number of the range is further from its integer than half a step', () => {
  const parameters = parametersOf({ min: -3, max: 5 });
  const values = Float32Array.from({ length: 1001 }, (_, i) => -3 + (8 * i) / 1000);
  const back = dequantizeValues(quantizeValues(values, parameters), parameters);
  for (const [i, value] of values.entries())
    assert.ok(Math.abs(value - back[i]) <= parameters.scale * 0.5001, `${value}`);
});

test('halves are rounded away from 0', () => {
  assert.deepEqual([0.5, 1.5, -0.5, -1.5, 2.4, -2.6].map(roundAway), [1, 2, -1, -2, 2, -3]);
});

test('or to the even neighbour', () => {
  const rounded = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 2.4, -2.6].map((value) => roundEven(value) + 0);
  assert.deepEqual(rounded, [0, 2, 2, 0, -2, -2, 2, -3]);
});
