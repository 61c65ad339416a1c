/** What was meant by a mistyped word. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { editDistance, nearest } from './nearest.ts';

test('edits are insertions, deletions, substitutions and swaps', () => {
  assert.equal(editDistance('train', 'train'), 0);
  assert.equal(editDistance('trian', 'train'), 1);
  assert.equal(editDistance('trai', 'train'), 1);
  assert.equal(editDistance('', 'abc'), 3);
  assert.equal(editDistance('kitten', 'sitting'), 3);
});

test('a near word is found, a far one is not', () => {
  const commands = ['train', 'evaluate', 'predict', 'summary'];
  assert.equal(nearest('trian', commands), 'train');
  assert.equal(nearest('EVALUATE', commands), 'evaluate');
  assert.equal(nearest('pred', commands), 'predict');
  assert.equal(nearest('serve', commands), undefined);
  assert.equal(nearest('x', commands), undefined);
  assert.equal(nearest('x', []), undefined);
});
