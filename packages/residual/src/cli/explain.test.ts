/** Which errors are the user's, which the system's, and which ours. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { DataError } from '../data/errors.ts';
import { ModelError, WriteError } from '../models/errors.ts';
import { CommandError, UsageError } from './command.ts';
import { explain } from './explain.ts';

test('mistakes in the command line are 2, the others 1, and none shows a stack', () => {
  assert.deepEqual(explain(new UsageError('no', 'try')), { message: 'no', hint: 'try', exitCode: 2 });
  assert.deepEqual(explain(new CommandError('no')), { message: 'no', exitCode: 1 });
  assert.deepEqual(explain(new DataError('bad data')), { message: 'bad data', exitCode: 1 });
  assert.deepEqual(explain(new ModelError('bad\n  model')), { message: 'bad; model', exitCode: 1 });
});

test('a full disk says what to do', () => {
  const full = new WriteError('cannot write x: no space is left on the disk', { cause: undefined, code: 'ENOSPC' });
  const { message, hint, stack } = explain(full);
  assert.match(message, /no space/);
  assert.match(hint ?? '', /--resume/);
  assert.equal(stack, undefined);
});

test("the backend's out of memory is the user's to mend", () => {
  const error = Object.assign(new Error('out of memory: a batch of 64 should fit'), { name: 'OutOfMemoryError' });
  assert.equal(explain(error).stack, undefined);
});

test("the system's errors are put into words", async () => {
  const missing = await readFile('/nonexistent/file').catch((error: unknown) => error);
  assert.deepEqual(explain(missing), { message: '/nonexistent/file: no such file or folder', exitCode: 1 });
});

test('our own faults show the stack and ask for a report', () => {
  for (const fault of [new TypeError('x is not a function'), new DataError('internal: no batch'), 'thrown text']) {
    const { message, hint, stack, exitCode } = explain(fault);
    assert.match(message, /^internal: /);
    assert.match(hint ?? '', /report/);
    assert.notEqual(stack, undefined);
    assert.equal(exitCode, 1);
  }
});
