/** `residual prune` and `cluster` from end to end: a smaller network as a run like any other, which can be pruned,
 *  interrupted, resumed, clustered and exported in its turn, and the table of what it was worth. */

import assert from 'node:assert/strict';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { inferenceGraph } from '../export/graph/from-model.ts';
import { loadModel } from '../models/saved-model.ts';
import { sparsityOf } from '../prune/sparsity.ts';
import { parseArguments } from './arguments.ts';
import { clusterCommand } from './cluster.ts';
import { compressionJob } from './compression-run.ts';
import { pruneCommand } from './prune.ts';
import { parsePart, prune } from './prune-run.ts';
import { makePhotos, residual, temporaryFolder } from './testing.ts';

let folder = '';
const run = (...words: readonly string[]) => residual([...words, '--backend', 'cpu'], { cwd: folder });
const runs = (name: string) => join(folder, 'runs', name);

before(async () => {
  await tf.setBackend('cpu');
  folder = await temporaryFolder();
  await makePhotos(join(folder, 'photos'), 8);
  const options = ['--size', '8', '--width', '8', '--batch', '6', '--epochs', '1', '--ema', '0.9', '--quiet'];
  const ended = await run('train', 'photos', ...options, '--name', 'base');
  assert.equal(ended.code, 0, ended.stderr);
});

after(() => rm(folder, { recursive: true }));

test('channels go, and the smaller network is a run of its own', async () => {
  const options = ['--sparsity', '40%', '--multiple', '2', '--images', '9', '--epochs', '1'];
  const { code, stdout, stderr } = await run('prune', 'base', ...options, '--name', 'narrow', '--json', '--quiet');
  assert.equal(code, 0, stderr);
  const { compression } = JSON.parse(stdout);
  const part = compression.after.multiplyAdds / compression.before.multiplyAdds;
  assert.ok(part <= 0.6 && part > 0.4, `${part}`);
  assert.ok(compression.after.parameters < compression.before.parameters);
  assert.ok(compression.after.zipSize < compression.before.zipSize);
  const runtimes = Object.keys(compression.after.milliseconds);
  assert.ok(runtimes.length >= 2 && runtimes.some((name) => name.startsWith('ONNX Runtime')), `${runtimes}`);
  // The recipe holds the widths: it is what a resumed run, and one that begins with this one, are built by.
  const { recipe } = JSON.parse(await readFile(join(runs('narrow'), 'run.json'), 'utf8'));
  const { model } = await loadModel(runs('narrow'));
  for (const [name, filters] of Object.entries(recipe.model.widths)) {
    assert.equal(model.getLayer(name).outputShape.at(-1), filters);
  }
  assert.equal(recipe.ema.decay, 0);
});

test('pruning of weights is interrupted and goes on; its zeros are in the saved model', async () => {
  const words = ['prune', 'narrow', '--structure', 'unstructured', '--sparsity', '0.75', '--epochs', '2'];
  const stopped = await residual([...words, '--name', 'sparse', '--backend', 'cpu'], {
    cwd: folder,
    onStderr: (text) => (/step \d/.test(text) ? 'SIGINT' : undefined),
  });
  assert.equal(stopped.code, 130, stopped.stderr);
  const resumed = await residual(['train', '--resume', 'sparse'], { cwd: folder });
  assert.equal(resumed.code, 0, resumed.stderr);
  assert.match(resumed.stdout, /not zero +[\d,]+ +[\d,]+ +−\d\d\.\d %/);
  assert.match(resumed.stdout, /accuracy measured on 6 validation images/);
  const { model, info } = await loadModel(runs('sparse'));
  for (const { name, weights, zeros } of await sparsityOf(model)) assert.equal(zeros, Math.round(0.75 * weights), name);
  // And in what every exporter starts from, where batch normalisation is folded in.
  const { nodes } = await inferenceGraph(model, info);
  for (const node of nodes) {
    if (node.op !== 'conv2d' && node.op !== 'dense') continue;
    const { values } = node.op === 'dense' ? node.weights : node.filter;
    assert.equal(values.filter((value) => Object.is(value, 0)).length, Math.round(0.75 * values.length), node.name);
  }
});

test('the zeros live on in a clustered run', async () => {
  const { code, stdout, stderr } = await run('cluster', 'sparse', '--clusters', '4', '--epochs', '1', '--name', 'few');
  assert.equal(code, 0, stderr);
  assert.match(stdout, /zipped/);
  const [{ model }, sparse] = [await loadModel(runs('few')), await loadModel(runs('sparse'))];
  const kernels = model.weights.filter(({ originalName }) => originalName.endsWith('/kernel'));
  for (const kernel of kernels) assert.ok(new Set((kernel.read() as tf.Tensor).dataSync()).size <= 4);
  assert.deepEqual(await sparsityOf(model), await sparsityOf(sparse.model));
});

test('what it makes of a run: its own recipe, shorter, slower, at one size, without averages', async () => {
  const { values } = parseArguments(clusterCommand, ['base', '--batch', '3', '--set', 'schedule.warmup=10%']);
  const plan = JSON.parse(await readFile(join(runs('base'), 'run.json'), 'utf8'));
  const origin = { folder: runs('base'), plan };
  const rule = { 'training.epochs': 3, cluster: { clusters: 8 } };
  const { plan: made } = await compressionJob(origin, runs('base'), join(folder, 'new'), rule, values);
  const { recipe } = made;
  assert.equal(made.name, 'new');
  assert.equal(made.compressedFrom, runs('base'));
  assert.deepEqual(made.data, plan.data);
  assert.deepEqual([recipe.ema.decay, recipe.training.batch, recipe.training.epochs], [0, 3, 3]);
  assert.deepEqual([recipe.cluster.clusters, recipe.prune.sparsity], [8, 0]);
  assert.equal(recipe.optimizer.learningRate, 0.2 * plan.recipe.optimizer.learningRate);
  assert.deepEqual([recipe.augment, recipe.loss], [plan.recipe.augment, plan.recipe.loss]);
  assert.ok('warmup' in recipe.schedule && recipe.schedule.warmup === '10%');
});

test('mistakes are one line, and leave nothing behind', async () => {
  for (const [words, message] of [
    [
      ['--sparsity', '120%'],
      /--sparsity must be a part, as 50% or 0.5, more than 0 and less than 100%, received '120%'/,
    ],
    [['--structure', '2:4', '--multiple', '8'], /--multiple is about channels/],
    [['--keep-dense', 'fc'], /--keep-dense is about single weights/],
    [['--structure', '2:4', '--sparsity', '70%'], /two of four are 50%, received --sparsity 70%/],
  ] as const) {
    const { positionals, values } = parseArguments(pruneCommand, ['base', ...words]);
    await assert.rejects(prune(positionals, values), message);
  }
  const there = await readdir(join(folder, 'runs'));
  const { code, stderr } = await run('prune', 'base', '--sparsity', '99.9%', '--importance', 'magnitude');
  assert.equal(code, 1);
  assert.match(stderr, /sparsity 0.999 cannot be reached: \d+ % of the multiply-adds is the most/);
  assert.deepEqual(await readdir(join(folder, 'runs')), there);
  assert.equal(parsePart('12.5%'), 0.125);
});
