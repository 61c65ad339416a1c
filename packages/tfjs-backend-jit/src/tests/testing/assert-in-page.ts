/** What the tests' harness uses of `node:assert/strict`, for a page: a bundle takes this module in its place. */

function ok(value: unknown, message = 'a condition does not hold'): void {
  if (!value) throw new Error(message);
}

function equal(actual: unknown, expected: unknown, message = 'not equal'): void {
  if (!Object.is(actual, expected)) throw new Error(`${message}: ${String(actual)} !== ${String(expected)}`);
}

function deepEqual(actual: unknown, expected: unknown, message = 'not equal'): void {
  equal(JSON.stringify(actual), JSON.stringify(expected), message);
}

export default Object.assign(ok, { ok, equal, deepEqual });
