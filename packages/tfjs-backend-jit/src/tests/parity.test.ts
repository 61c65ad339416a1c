/** Every TF.js kernel that is compiled gives what the cpu backend gives: to 1e-5 forward, 1e-4 in gradients. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { int8 } from '../record/int8.ts';
import { rules } from '../record/rules.ts';
import type { Case, Cases } from './testing/cases.ts';
import { contractCases } from './testing/cases-contract.ts';
import { elementwiseCases } from './testing/cases-elementwise.ts';
import { fallbackCases, gradientCases } from './testing/cases-gradient.ts';
import { moveCases } from './testing/cases-move.ts';
import { reduceCases } from './testing/cases-reduce.ts';
import { compare } from './testing/compare.ts';

const cases: Cases = { ...elementwiseCases, ...reduceCases, ...moveCases, ...contractCases };

/** Kernels that were really compiled since the test began, and not handed to the cpu backend. */
const lowered = new Set<string>();
for (const [kernel, rule] of Object.entries(rules)) {
  const { lower } = rule;
  Object.assign(rule, {
    lower: (...args: Parameters<typeof lower>) => {
      lowered.add(kernel);
      return lower.apply(rule, args);
    },
  });
}

/** Runs all cases, and reports all that fail. */
async function runAll(list: readonly Case[]): Promise<void> {
  const failures: string[] = [];
  for (const { name, run, tolerance } of list) {
    try {
      await compare(name, run, tolerance);
    } catch (error) {
      failures.push(error instanceof assert.AssertionError ? error.message : `${name}: ${(error as Error).stack}`);
    }
  }
  assert.equal(failures.length, 0, `${failures.length} of ${list.length} cases fail:\n${failures.join('\n')}`);
}

for (const [kernel, list] of Object.entries(cases)) {
  test(`${kernel} is as on cpu`, async () => {
    await runAll(list);
    assert.ok(lowered.has(kernel), `${kernel} was never compiled`);
  });
}

test('gradients are as on cpu', () => runAll(gradientCases));

test('what is not compiled runs on the cpu backend', () => runAll(fallbackCases));

test('every rule for a kernel of TF.js has cases', () => {
  // Kernels for 8-bit integers are ours alone: they are held against the integers of the formats, not the cpu backend.
  assert.deepEqual(
    Object.keys(rules).filter((kernel) => !(kernel in cases) && !(kernel in int8)),
    [],
  );
});
