/** Ctrl-C saves and says how to go on; the resumed run ends with the weights of one that was never stopped.
 *  A full disk ends in one line, and what was there before stays. */

import assert from 'node:assert/strict';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makePhotos, residual, temporaryFolder } from './testing.ts';

const train = ['train', 'photos', '--size', '8', '--width', '2', '--batch', '6', '--epochs', '4', '--backend', 'cpu'];

let folder = '';

before(async () => {
  folder = await temporaryFolder();
  await makePhotos(join(folder, 'photos'), 8);
});

after(() => rm(folder, { recursive: true }));

/** The weights' file is named by its checksum. */
async function weightsOf(run: string): Promise<string[]> {
  return (await readdir(join(folder, 'runs', run))).filter((name) => name.endsWith('.bin'));
}

test('an interrupted run goes on to the same weights', async () => {
  const stopped = await residual([...train, '--name', 'stopped'], {
    cwd: folder,
    onStderr: (text) => (/step \d/.test(text) ? 'SIGINT' : undefined),
  });
  assert.equal(stopped.code, 130, stopped.stderr);
  assert.match(stopped.stdout, /saved in runs\/stopped\ngo on with: residual train --resume runs\/stopped\n$/);
  assert.match(stopped.stderr, /stopping/);
  assert.deepEqual(await weightsOf('stopped'), []);

  const early = await residual(['predict', 'stopped', 'photos/red/0.png'], { cwd: folder });
  assert.match(early.stderr, /not trained to its end yet.*\n.*--resume runs\/stopped/);

  const resumed = await residual(['train', '--resume', 'runs/stopped', '--quiet'], { cwd: folder });
  assert.equal(resumed.code, 0, resumed.stderr);
  const whole = await residual([...train, '--name', 'whole', '--quiet'], { cwd: folder });
  assert.equal(whole.code, 0, whole.stderr);
  assert.deepEqual(await weightsOf('stopped'), await weightsOf('whole'));
  const lines = async (run: string) =>
    (await readFile(join(folder, 'runs', run, 'history.jsonl'), 'utf8')).split('\n').length;
  assert.equal(await lines('stopped'), await lines('whole'));
});

test('a full disk', async (t) => {
  const disk = join(folder, 'disk');
  const script = `mkdir -p ${disk} && mount -t tmpfs -o size=80k none ${disk} && exec "$0" "$@"`;
  const under = ['unshare', '--mount', '--map-root-user', 'sh', '-c', script];
  const probe = await residual(['--version'], { under }).catch(() => undefined);
  if (probe?.code !== 0) return t.skip('this system lets nobody but root mount a small disk');
  const ended = await residual([...train, '--quiet', '--runs', disk], { cwd: folder, under });
  assert.equal(ended.code, 1, ended.stdout);
  assert.match(ended.stderr, /^error: cannot write .*: no space is left on the disk\nfree some space.*\n$/);
});
