/** Cutting the inner dimension of a product into unrolled steps. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutRun, depthOf, phasesOfRuns, stepTableBytes } from './gemm-steps.ts';
import { STEP_ENTRY } from './gemm-tile.ts';

test('a run is cut into equal steps and a tail, and nothing is lost', () => {
  for (let length = 1; length < 2000; length++) {
    const { unroll, count, tail } = cutRun(length);
    assert.equal(unroll * count + tail, length);
    assert.ok(unroll >= 1 && unroll <= 24 && tail < 16);
  }
  assert.deepEqual(cutRun(21), { unroll: 21, count: 1, tail: 0 });
  assert.deepEqual(cutRun(56), { unroll: 14, count: 4, tail: 0 });
  assert.deepEqual(cutRun(37), { unroll: 16, count: 2, tail: 5 });
});

test('phases cover every k of a nest once', () => {
  const nest = [{ count: 3, a: 1000, b: 100 }];
  for (const length of [1, 16, 24, 37, 96, 1001]) {
    const phases = phasesOfRuns(nest, { length, aStep: 4, bStep: 64 }, 256);
    assert.equal(depthOf(phases), 3 * length);
    assert.equal(stepTableBytes(phases) % STEP_ENTRY, 0);
    for (const phase of phases) assert.ok(phase.blockSteps >= 1 && phase.blockSteps * phase.unroll <= 256);
  }
});
