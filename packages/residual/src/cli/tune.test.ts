/** A search through the command line: killed and interrupted, it ends with the journal of one that was not. */

import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makePhotos, residual, temporaryFolder } from './testing.ts';

let folder = '';

before(async () => {
  folder = await temporaryFolder();
  await makePhotos(join(folder, 'photos'), 8);
});

after(() => rm(folder, { recursive: true }));

const sets = ['data.size=8', 'model.width=2', 'training.batch=4', 'data.validation=0.4'].flatMap((one) => [
  '--set',
  one,
]);
const search = [...'tune photos --backend cpu --trials 3 --epochs 4 --first-epochs 2 --keep 2'.split(' '), ...sets];
const space = ['--space', 'lr=0.001..0.3:log', '--space', 'optimizer.nesterov=[true, false]'];

/** The journal without how long it took. */
async function journal(name: string): Promise<unknown[]> {
  const text = await readFile(join(folder, name, 'journal.jsonl'), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => ({ ...(JSON.parse(line) as object), seconds: 0 }));
}

async function bestWeights(name: string, trial: number): Promise<string[]> {
  const files = await readdir(join(folder, name, 'trials', String(trial).padStart(3, '0')));
  return files.filter((file) => file.endsWith('.bin'));
}

test('killed, interrupted and resumed, a search finds what it would have found', async () => {
  const whole = await residual([...search, ...space, '--out', 'whole', '--json'], { cwd: folder });
  assert.equal(whole.code, 0, whole.stderr);
  const found = JSON.parse(whole.stdout);
  assert.equal(found.ended, 'done');
  assert.ok(found.best.accuracy > 0.3, whole.stdout);

  const killed = await residual([...search, ...space, '--out', 'killed'], {
    cwd: folder,
    onStderr: (text) => (/trial 1: [^\n]*\n/.test(text) ? 'SIGKILL' : undefined),
  });
  assert.equal(killed.code, null, killed.stderr);
  await appendFile(join(folder, 'killed/journal.jsonl'), '{"type":"resu');
  const stopped = await residual(['tune', '--resume', 'killed'], {
    cwd: folder,
    onStderr: (text) => (/goes on to epoch 4/.test(text) ? 'SIGINT' : undefined),
  });
  assert.equal(stopped.code, 130, stopped.stderr);
  assert.match(stopped.stdout, /Go on with: residual tune --resume killed/);
  const ended = await residual(['tune', '--resume', 'killed'], { cwd: folder });
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(ended.stdout, /best validation accuracy \d/);
  assert.deepEqual(await journal('killed'), await journal('whole'));
  const { trial } = found.best;
  assert.equal((await bestWeights('whole', trial)).length, 1);
  assert.deepEqual(await bestWeights('killed', trial), await bestWeights('whole', trial));

  const page = await readFile(join(folder, 'whole/tune.html'), 'utf8');
  assert.match(page, /optimizer\.learningRate \(log scale\)/);
  assert.equal(page.match(/<tr/g)?.length, 4);
});

test('the best is a recipe to train by, and mistakes are told before anything is trained', async () => {
  const shown = await residual(['recipes', 'show', 'whole/best.yaml'], { cwd: folder });
  assert.match(shown.stdout, /^# Found by residual tune from default: trial \d, /);
  const refused = await residual([...search, '--space', 'optimizer.momentum=0.5..1.5', '--out', 'x'], { cwd: folder });
  assert.equal(refused.code, 2);
  assert.match(
    refused.stderr,
    /the search of optimizer\.momentum: optimizer\.momentum must be a number from 0 and below 1/,
  );
  const changed = await residual(['tune', '--resume', 'whole', '--trials', '9'], { cwd: folder });
  assert.match(changed.stderr, /--trials cannot be changed when a search is resumed/);
  const nothing = await residual([...search, '--set', 'data.validation=0', '--out', 'y'], { cwd: folder });
  assert.equal(nothing.code, 1);
  assert.match(nothing.stderr, /a search needs validation images to choose by/);
});
