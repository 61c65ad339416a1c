// The judge of the conformance run: what it lets pass and what not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge, neutralName, tally } from './compare.ts';
import type { SpecResult } from './run.ts';

const result = (name: string, status: SpecResult['status'], ...messages: string[]): SpecResult => ({
  name,
  status,
  messages,
});

test('the backend name leaves the spec name', () => {
  assert.equal(neutralName('abs jit {} gradients: scalar', 'jit'), 'abs gradients: scalar');
  assert.equal(neutralName('util parses a dtype', 'jit'), 'util parses a dtype');
});

test('a spec that passes on cpu must pass, unless it is listed', () => {
  const cpu = [result('abs cpu {} a', 'passed'), result('abs cpu {} b', 'passed'), result('abs cpu {} c', 'failed')];
  const jit = [result('abs jit {} a', 'failed', 'off by one'), result('abs jit {} b', 'failed')];
  const listed = { spec: 'abs b', reason: 'because' };
  const verdict = judge(cpu, jit, 'jit', [listed]);
  assert.deepEqual(verdict.broken, [{ name: 'abs a', messages: ['off by one'] }]);
  assert.deepEqual(verdict.excused, [listed]);
  assert.deepEqual(verdict.stale, []);
});

test('a spec that did not run on the backend is broken, skipped or missing alike', () => {
  const cpu = [result('a', 'passed'), result('b', 'passed')];
  const verdict = judge(cpu, [result('a', 'skipped')], 'jit', []);
  assert.deepEqual(
    verdict.broken.map(({ name }) => name),
    ['a', 'b'],
  );
});

test('specs of one name are told apart by their order', () => {
  const cpu = [result('a', 'passed'), result('a', 'passed')];
  const verdict = judge(cpu, [result('a', 'passed'), result('a', 'failed')], 'jit', []);
  assert.deepEqual(
    verdict.broken.map(({ name }) => name),
    ['a #2'],
  );
});

test('an exception that passes, or that no spec bears, is stale; under a filter only the first', () => {
  const exceptions = [
    { spec: 'a', reason: 'once true' },
    { spec: 'gone', reason: 'once true' },
  ];
  const all = [result('a', 'passed')];
  assert.deepEqual(judge(all, all, 'jit', exceptions).stale, exceptions);
  assert.deepEqual(judge(all, all, 'jit', exceptions, true).stale, [exceptions[0]]);
});

test('tally counts each status', () => {
  const results = [result('a', 'passed'), result('b', 'skipped'), result('c', 'passed'), result('d', 'failed')];
  assert.deepEqual(tally(results), { passed: 2, failed: 1, skipped: 1 });
});
