/** The doctor on the command line: a verdict, a page, lists, and exit codes. */

import assert from 'node:assert/strict';
import { copyFile, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { exclude, readExclusions } from '../data/node/exclude.ts';
import { openData } from '../data/node/open.ts';
import { makePhotos, residual, temporaryFolder } from './testing.ts';

let folder = '';

before(async () => {
  folder = await temporaryFolder();
  await makePhotos(join(folder, 'photos'), 8);
  await copyFile(join(folder, 'photos/red/1.png'), join(folder, 'photos/blue/red.png'));
});

after(() => rm(folder, { recursive: true }));

test('doctor DATA says what is wrong, writes the page, and is strict where asked', async () => {
  const { code, stdout, stderr } = await residual(['doctor', 'photos'], { cwd: folder });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /problem {2}2 pictures in 1 group of exact copies with different labels\n.*red\.png/);
  assert.match(stdout, /\npage doctor\/photos\/doctor\.html\n$/);
  assert.deepEqual((await readdir(join(folder, 'doctor/photos'))).sort(), ['doctor.html', 'doctor.json']);
  const json = await residual(['doctor', 'photos', '--strict', '--json', '--out', 'here'], { cwd: folder });
  assert.equal(json.code, 1);
  const { verdict, pictures, page } = JSON.parse(json.stdout);
  assert.equal(verdict.problem, 1);
  assert.deepEqual([pictures, page], [25, 'here/doctor.html']);
});

test('doctor RUN ranks labels and writes a list that can be excluded', async () => {
  const small = ['--size', '8', '--width', '2', '--batch', '6', '--backend', 'cpu'];
  const train = ['train', 'photos', ...small, '--epochs', '1', '--name', 'first', '--test', '0.2', '--quiet'];
  const trained = await residual(train, { cwd: folder });
  assert.equal(trained.code, 0, trained.stderr);
  const fast = ['--folds', '2', '--epochs', '6', '--width', '4', '--backend', 'cpu', '--quiet'];
  const { code, stdout, stderr } = await residual(['doctor', 'first', ...fast], { cwd: folder });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /\d+ labels? of 25 to doubt/);
  const out = join(folder, 'runs/first/doctor');
  assert.deepEqual((await readdir(out)).sort(), ['doctor.html', 'doctor.json', 'suspects.csv']);
  const { images, suspects } = JSON.parse(await readFile(join(out, 'doctor.json'), 'utf8'));
  assert.equal(images, 25);
  const list = await readExclusions(join(out, 'suspects.csv'));
  assert.equal(list.samples.length, suspects.length);
  if (suspects.length > 0) {
    const splits = await openData(join(folder, 'photos'), { size: 8, validation: 0 });
    assert.equal(exclude(splits, list).splits.train.size, 25 - suspects.length);
  }

  const held = await residual(['doctor', 'runs/first', '--held-out', '--json', '--backend', 'cpu'], { cwd: folder });
  assert.equal(held.code, 0, held.stderr);
  assert.ok(JSON.parse(held.stdout).images < 25);
});

test('what cannot be examined is one line', async () => {
  const nowhere = await residual(['doctor', 'nowhere'], { cwd: folder });
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.stderr, /^error: there is no data at nowhere[^\n]*\n$/);
  const folds = await residual(['doctor', 'photos', '--folds', '1'], { cwd: folder });
  assert.equal(folds.code, 2);
  assert.match(folds.stderr, /--folds must be a whole number from 2 to 100/);
});
