import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fuzzReader } from './fuzzing.ts';

const module = new URL('./bad-readers.ts', import.meta.url);
const valid = [{ label: 'ones', main: 'a', files: { a: new Uint8Array(64).fill(1) } }];

describe('the harness', () => {
  test('lets a good reader pass, and counts', async () => {
    const { accepted, refused, messages } = await fuzzReader({ module, reader: 'readWell', valid, count: 300 });
    assert.equal(accepted + refused, 301);
    assert.ok(accepted > 50 && refused > 10);
    assert.ok(messages['a: begins with #, not with #'] > 5);
  });
  const faults: readonly (readonly [string, RegExp])[] = [
    ['readAndThrow', /TypeError: x is undefined/],
    ['readSlowly', /took 2\.\d s of processor time/],
    ['readGreedily', /an array of 1073741824 bytes/],
    ['readAndWrite', /ERR_ACCESS_DENIED|restricted/],
    ['readTwice', /two tensors are named "a"/],
    ['readTooFew', /shape \[1,7\] gives \d+ values/],
  ];
  for (const [reader, message] of faults) {
    test(`finds the fault of ${reader}`, async () => {
      await assert.rejects(fuzzReader({ module, reader, valid, count: 100 }), (error: Error) => {
        assert.match(error.message, /mutant \d+ \(ones: .* in a\)/);
        assert.match(error.message, message);
        return true;
      });
    });
  }
  test('a valid file must be read, a hostile one must not', async () => {
    const hostile = [{ label: 'not so hostile', main: 'a', files: { a: Uint8Array.of(1, 2) } }];
    await assert.rejects(
      fuzzReader({ module, reader: 'readWell', valid, hostile, count: 0 }),
      /not so hostile: .*a hostile file was read/,
    );
    const bad = [{ label: 'bad', main: 'a', files: { a: new Uint8Array(3) } }];
    await assert.rejects(
      fuzzReader({ module, reader: 'readWell', valid: bad, count: 0 }),
      /bad: .*a valid file was refused/,
    );
  });
});
