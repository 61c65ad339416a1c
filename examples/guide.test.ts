import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

test('the guide’s parts two to four run as they stand, and check themselves', () => {
  const file = fileURLToPath(new URL('./guide.ts', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /Total params: 11703912/);
  assert.match(stdout, /found 320 images of 4 classes/);
  assert.match(stdout, /epoch 4\/4 {2}loss \d/);
  assert.match(stdout, /loaded 122 weights, 0 missing, 0 left over\n5,130 of 11,196,042 parameters learn/);
  assert.match(stdout, /the guide works\n$/);
});
