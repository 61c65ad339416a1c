/** Formats that are folders, through the command line: written, verified, and the same answers by every way out. */

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import { infoFor, pretendTrained } from '../export/graph/testing.ts';
import { resnet } from '../models/resnet.ts';
import { saveModel } from '../models/saved-model.ts';
import { loadClassifier } from './load-classifier.ts';
import { predictFiles } from './predict-files.ts';
import { makePhotos, residual, temporaryFolder } from './testing.ts';

let folder = '';
const cpu = ['--backend', 'cpu'];

before(async () => {
  folder = await temporaryFolder();
  await makePhotos(join(folder, 'photos'), 4);
  const model = pretendTrained(resnet('resnet18', { inputShape: [8, 8, 3], classes: 3, width: 2 }));
  await saveModel(model, { ...infoFor(model), classes: ['blue', 'green & co', 'red'] }, join(folder, 'net'));
});

after(() => rm(folder, { recursive: true }));

const run = async (...args: string[]) => {
  const ended = await residual([...args, ...cpu], { cwd: folder });
  assert.equal(ended.code, 0, ended.stderr + ended.stdout);
  return ended.stdout;
};

/** Probabilities of the first red picture. */
async function predicted(what: string): Promise<number[]> {
  const { model, info, dispose } = await loadClassifier(join(folder, what));
  assert.deepEqual(info.classes, ['blue', 'green & co', 'red']);
  const [result] = await predictFiles(model, info, [join(folder, 'photos/red/0.png')]);
  dispose();
  return result && 'probabilities' in result ? Array.from(result.probabilities) : [];
}

test('TF.js and TensorFlow: each is measured, written whole, and predicts as the model does', async () => {
  const args = ['export', 'net', '--data', 'photos', '--format', 'tfjs,tfjs-layers,saved-model', '--max-drop', '100'];
  await mkdir(join(folder, 'net/export/tfjs'), { recursive: true });
  await writeFile(join(folder, 'net/export/tfjs/group1-shard7of9.bin'), 'of an earlier export');
  const stdout = await run(...args, '--quantize', 'none,int8');
  assert.match(stdout, /\ntfjs +\S+ KiB +\S+ % +100\.0 % +\S+ +\S+ ms +TF\.js 4\.22\.0 graph model, cpu\n/);
  assert.match(stdout, /\ntfjs-dynamic .* TF\.js 4/);
  assert.match(stdout, /\ntfjs-layers .* TF\.js 4\.22\.0 layers, cpu\n/);
  assert.match(stdout, /\nsaved-model .* own reader, cpu\n/);
  assert.match(stdout, /\nwrote 6 files to net\/export\n$/);
  const written = await readdir(join(folder, 'net/export'), { recursive: true });
  assert.deepEqual(written.filter((name) => name.startsWith('tfjs/')).sort(), [
    'tfjs/group1-shard1of1.bin',
    'tfjs/model.json',
  ]);
  assert.ok(written.includes('saved-model/saved_model.pb') && !written.some((name) => name.includes('.tmp-')));
  assert.equal(
    await readFile(join(folder, 'net/export/saved-model/assets/labels.txt'), 'utf8'),
    'blue\ngreen & co\nred\n',
  );

  const expected = await predicted('net');
  const ways = ['tfjs', 'tfjs/model.json', 'tfjs-layers', 'saved-model', 'saved-model/saved_model.pb'];
  const limits = [...ways.map((way) => [way, 1e-4] as const), ['saved-model-dynamic', 0.05] as const];
  for (const [way, limit] of limits) {
    const probabilities = await predicted(`net/export/${way}`);
    const differences = expected.map((value, i) => Math.abs(value - (probabilities[i] ?? Number.NaN)));
    assert.ok(Math.max(...differences) < limit, `${way}: ${probabilities}, the model ${expected}`);
  }
  const verified = await run('verify', 'net/export/saved-model', 'photos', '--against', 'net');
  assert.match(verified, /\nsaved-model +\S+ KiB +\S+ % +100\.0 % .*own reader, cpu\n/);
});

test('what no folder can be, and a folder that is not ours, are named', async () => {
  const fails = async (args: readonly string[], code: number, message: RegExp) => {
    const ended = await residual([...args, ...cpu], { cwd: folder });
    assert.equal(ended.code, code);
    assert.match(ended.stderr, message);
  };
  const layers = ['export', 'net', '--format', 'tfjs-layers', '--no-proof'];
  await fails(
    [...layers, '--input', 'uint8'],
    2,
    /TF\.js layers model files cannot take --input uint8\nthey can take float32/,
  );
  await mkdir(join(folder, 'mine/tfjs-layers'), { recursive: true });
  await writeFile(join(folder, 'mine/tfjs-layers/notes.txt'), 'mine');
  await fails(
    [...layers, '--out', 'mine'],
    1,
    /cannot write mine\/tfjs-layers: it holds notes\.txt, which is of no export\nname another/,
  );
  assert.deepEqual(await readdir(join(folder, 'mine/tfjs-layers')), ['notes.txt']);
});
