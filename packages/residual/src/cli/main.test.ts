/** Mistakes end in one clear line and an exit code, without a stack trace and without anything written. */

import assert from 'node:assert/strict';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Ended, makePhotos, residual, temporaryFolder } from './testing.ts';

let folder = '';

before(async () => {
  folder = await temporaryFolder();
  await makePhotos(join(folder, 'photos'), 2);
});

after(() => rm(folder, { recursive: true }));

/** An error as users should see it: `error: …` in one line, a hint in another at most, nothing on stdout. */
function assertClear(ended: Ended, code: number, message: RegExp): void {
  assert.equal(ended.code, code, ended.stderr);
  assert.equal(ended.stdout, '');
  const lines = ended.stderr.trimEnd().split('\n');
  assert.ok(lines.length <= 2, ended.stderr);
  assert.match(lines[0] ?? '', /^error: /);
  assert.match(ended.stderr, message);
  assert.doesNotMatch(ended.stderr, /^\s+at /m);
}

test('--version, --help and help', async () => {
  const [version, help, commandHelp] = await Promise.all([
    residual(['--version']),
    residual(['--help']),
    residual(['help', 'train']),
  ]);
  const manifest = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  assert.deepEqual(version, { code: 0, stdout: `${manifest.version}\n`, stderr: '' });
  assert.equal(help.code, 0);
  assert.match(help.stdout, /residual COMMAND/);
  assert.match(commandHelp.stdout, /residual train: /);
  assert.equal((await residual([])).code, 2);
});

test('mistakes in the command line are exit code 2', async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['trian'], /did you mean residual train\?/],
    [['--epochs', '3'], /needs a command before --epochs/],
    [['train', '--epoch', '3'], /did you mean --epochs\?/],
    [['train', '--resume', '--epochs', '3'], /cannot be changed when a run is resumed/],
    [['predict'], /residual predict needs RUN/],
  ];
  for (const [args, message] of cases) assertClear(await residual(args, { cwd: folder }), 2, message);
});

test('data that cannot be used', async () => {
  const at = (name: string) => join(folder, name);
  await cp(at('photos'), at('one'), { recursive: true });
  for (const name of ['green & co', 'red']) await rm(join(at('one'), name), { recursive: true });
  await cp(at('photos'), at('hollow'), { recursive: true });
  await mkdir(join(at('hollow'), 'empty'));
  await mkdir(at('idx'));
  const embedded = join(import.meta.dirname, '../../data/fashion-mnist');
  for (const name of (await readdir(embedded)).filter((one) => one.endsWith('.gz'))) {
    const bytes = await readFile(join(embedded, name));
    await writeFile(join(at('idx'), name), name.startsWith('train-images') ? bytes.subarray(0, 100_000) : bytes);
  }
  const cases: readonly (readonly [string, RegExp])[] = [
    ['nowhere', /there is no data at .*nowhere/],
    ['photos/red', /has no class folders/],
    ['one', /only one class, 'blue'/],
    ['hollow', /the class folder .*empty holds no images/],
    ['idx', /train-images-idx3-ubyte\.gz is truncated/],
  ];
  for (const [name, message] of cases) {
    assertClear(await residual(['train', name, '--backend', 'cpu'], { cwd: folder }), 1, message);
  }
});

test('runs that are not there', async () => {
  assertClear(await residual(['evaluate', 'runs/none'], { cwd: folder }), 1, /there is no run runs\/none/);
  assertClear(await residual(['summary', 'resnet19'], { cwd: folder }), 1, /did you mean resnet18\?/);
});

test('a place that cannot be written to', async () => {
  const args = ['train', 'photos', '--size', '8', '--width', '2', '--backend', 'cpu', '--quiet'];
  const ended = await residual([...args, '--runs', 'photos/red/0.png'], { cwd: folder });
  assertClear(ended, 1, /cannot write photos\/red\/0\.png\/.*part of the path is a file/);
});

test('a batch that does not fit into memory is cut into parts before the first step', async () => {
  const runs = await temporaryFolder();
  const cut = /a step does not fit into memory \(it needs [\d.]+ GiB .*: each batch of 10000 is computed in \d+ parts/;
  const ended = await residual(['train', '--batch', '10000', '--runs', runs, '--name', 'cut'], {
    cwd: folder,
    // The step itself takes minutes.
    onStderr: (text) => (cut.test(text) ? 'SIGKILL' : undefined),
  });
  assert.match(ended.stderr, cut);
  // What was found out is in a checkpoint: a resumed run does not find it out again.
  assert.ok((await readdir(join(runs, 'cut', 'checkpoint'))).includes('state.bin'));
  await rm(runs, { recursive: true });
});

test('nothing was written', async () => {
  assert.ok(!(await readdir(folder)).includes('runs') || (await readdir(join(folder, 'runs'))).length === 0);
});
