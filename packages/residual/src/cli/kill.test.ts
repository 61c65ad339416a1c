/** SIGKILL loses at most the steps since the last checkpoint: on `jit`, with other numbers of threads each time,
 *  the resumed run ends with the bits of one that was never killed. */

import assert from 'node:assert/strict';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makePhotos, residual, temporaryFolder } from './testing.ts';

let folder = '';

before(async () => {
  folder = await temporaryFolder();
  await makePhotos(join(folder, 'photos'), 12);
});

after(() => rm(folder, { recursive: true }));

/** The weights' file is named by its checksum. */
async function weightsOf(run: string): Promise<string[]> {
  return (await readdir(join(folder, 'runs', run))).filter((name) => name.endsWith('.bin'));
}

test('a run that is killed twice and resumed has the weights of one that was not', async () => {
  const train = ['train', 'photos', '--size', '16', '--width', '8', '--batch', '4', '--epochs', '6'];
  const killed = await residual([...train, '--name', 'killed', '--checkpoint-every', '3', '--threads', '2'], {
    cwd: folder,
    onStderr: (text) => (/epoch 2\/6 {2}loss/.test(text) ? 'SIGKILL' : undefined),
  });
  assert.equal(killed.code, null, killed.stderr);
  const again = await residual(['train', '--resume', 'killed', '--threads', '1'], {
    cwd: folder,
    onStderr: (text) => (/epoch 4\/6 {2}loss/.test(text) ? 'SIGKILL' : undefined),
  });
  assert.equal(again.code, null, again.stderr);
  const ended = await residual(['train', '--resume', 'killed', '--threads', '2'], { cwd: folder });
  assert.equal(ended.code, 0, ended.stderr);

  const whole = await residual([...train, '--name', 'whole', '--checkpoint-every', '3', '--threads', '1'], {
    cwd: folder,
  });
  assert.equal(whole.code, 0, whole.stderr);
  assert.equal((await weightsOf('whole')).length, 1);
  assert.deepEqual(await weightsOf('killed'), await weightsOf('whole'));
  const losses = async (run: string) =>
    (await readFile(join(folder, 'runs', run, 'history.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { loss: number }).loss);
  assert.deepEqual(await losses('killed'), await losses('whole'));
});
