/** Masks and the schedule: exactly so many weights, the smallest ones, in the right pattern, at the right time. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../data/random.ts';
import { canMask, maskOf } from './masks.ts';
import { sparsitySchedule } from './sparsity-schedule.ts';

const random = Random.at(7);
const values = Float32Array.from({ length: 3 * 3 * 8 * 5 }, () => random.uniform(-1, 1) ** 3);
const shape = [3, 3, 8, 5];

test('unstructured: as many as asked for, none of them larger than one that stays', () => {
  for (const sparsity of [0, 0.001, 0.3, 0.77, 0.999]) {
    const mask = maskOf(values, shape, 'unstructured', sparsity);
    const magnitudes = (kept: number) => [...values].map(Math.abs).filter((_, i) => mask[i] === kept);
    assert.equal(magnitudes(0).length, Math.round(sparsity * values.length));
    assert.ok(Math.max(0, ...magnitudes(0)) <= Math.min(...magnitudes(1)));
  }
});

test('of equal weights the first ones go, and no more than asked for', () => {
  const mask = maskOf(Float32Array.from([1, -1, 1, 0, -1, 1, 2, 1]), [8], 'unstructured', 0.5);
  assert.deepEqual([...mask], [0, 0, 0, 0, 1, 1, 1, 1]);
});

test('2:4: two of each four input channels of an output, the smaller ones', () => {
  const mask = maskOf(values, shape, '2:4', 0);
  const at = (pixel: number, input: number, output: number) => (pixel * 8 + input) * 5 + output;
  for (let pixel = 0; pixel < 9; pixel++) {
    for (const group of [0, 4]) {
      for (let output = 0; output < 5; output++) {
        const four = [0, 1, 2, 3].map((i) => at(pixel, group + i, output));
        const stay = four.filter((index) => mask[index] === 1).map((index) => Math.abs(values[index] ?? 0));
        const go = four.filter((index) => mask[index] === 0).map((index) => Math.abs(values[index] ?? 0));
        assert.equal(go.length, 2);
        assert.ok(Math.max(...go) <= Math.min(...stay));
      }
    }
  }
  assert.equal(canMask('2:4', [3, 3, 1, 64]), false);
  assert.equal(canMask('2:4', [64, 10]), true);
});

test('the schedule rises along its polynomial, in steps, and ends where it should', () => {
  const { at } = sparsitySchedule({ sparsity: 0.8, begin: 10, end: 110, every: 25 });
  assert.deepEqual([0, 9, 10, 11, 35, 60, 109, 110, 111].map(at), [
    undefined,
    undefined,
    0,
    undefined,
    0.8 - 0.8 * 0.75 ** 3,
    0.8 - 0.8 * 0.5 ** 3,
    undefined,
    0.8,
    undefined,
  ]);
  assert.equal(sparsitySchedule({ sparsity: 0.5, end: 0 }).at(0), 0.5);
  assert.throws(
    () => sparsitySchedule({ sparsity: 1.5, end: 3 }),
    /sparsity must be more than 0 and less than 1, received 1.5/,
  );
  assert.throws(
    () => sparsitySchedule({ sparsity: 0.5, begin: 5, end: 3 }),
    /end must be .* from begin \(5\) up, received 3/,
  );
});
