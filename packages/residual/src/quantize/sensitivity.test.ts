import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import type { Conv2D, GraphNode } from '../export/graph/graph.ts';
import { runGraph } from '../export/graph/index.ts';
import { quantizePostTraining } from './post-training.ts';
import { mend, sensitivityOf } from './sensitivity.ts';
import { conv, dense, graphOf, imagesFor } from './testing.ts';

before(() => tf.setBackend('cpu'));

/** One weight of the second layer is so large that, with one scale for all, the others are rounded to nothing. */
function spoiled() {
  const bad = conv('second', 'first', [4, 4], 'relu');
  const values = bad.filter.values.map((value, i) => (i === 5 ? 60 : value));
  const third = conv('third', 'second', [4, 4], 'none');
  // The layer behind it hardly listens to what that weight makes.
  const heard = third.filter.values.map((value, i) => (Math.floor(i / 4) % 4 === 5 % 4 ? value * 1e-3 : value));
  const nodes: GraphNode[] = [
    conv('first', 'input', [3, 4], 'relu'),
    { ...bad, filter: { ...bad.filter, values } },
    { ...third, filter: { ...third.filter, values: heard } } satisfies Conv2D,
    { op: 'globalAveragePool', name: 'mean', inputs: ['third'], output: 'mean', shape: [4] },
    dense('classifier', 'mean', [4, 5]),
    { op: 'softmax', name: 'softmax', inputs: ['classifier'], output: 'output', shape: [5] },
  ];
  return { ...graphOf(nodes), gives: 'probabilities' } as const;
}

async function prepared() {
  const graph = spoiled();
  const images = imagesFor(48);
  const probabilities = await runGraph(graph, images);
  const labels = Int32Array.from({ length: 48 }, (_, row) => {
    const part = [...probabilities.subarray(row * 5, row * 5 + 5)];
    return part.indexOf(Math.max(...part));
  });
  const quantized = await quantizePostTraining(graph, [images], { granularity: 'per-tensor' });
  return { quantized, batches: [{ images, labels }] };
}

test('the layer that loses most is found, alone and by what is gained without it', async () => {
  const { quantized, batches } = await prepared();
  const progress: number[] = [];
  const alone = await sensitivityOf(quantized, batches, { onProgress: (done) => progress.push(done) });
  assert.deepEqual(
    alone.map(({ layer }) => layer),
    ['first', 'second', 'third', 'mean', 'classifier'],
  );
  assert.deepEqual(progress, [0, 1, 2, 3, 4, 5]);
  const worst = alone.toSorted((a, b) => a.sqnr - b.sqnr);
  assert.equal(worst[0]?.layer, 'second');
  assert.ok(worst[0].sqnr + 6 < (worst[1]?.sqnr ?? 0), JSON.stringify(worst));
  for (const { floatAccuracy } of alone) assert.equal(floatAccuracy, 1);
  const without = await sensitivityOf(quantized, batches, { mode: 'all-but' });
  assert.equal(without.toSorted((a, b) => b.sqnr - a.sqnr)[0]?.layer, 'second');
});

test('sparing it mends the network; where nothing would, that is said', async () => {
  const { quantized, batches } = await prepared();
  const rows = await sensitivityOf(quantized, batches);
  const worst = rows.reduce((least, { sqnr }) => Math.min(least, sqnr), Number.POSITIVE_INFINITY);
  const mending = await mend(quantized, batches, rows, ({ sqnr }) => sqnr > worst + 6);
  assert.deepEqual(mending?.keepFloat, ['second']);
  assert.ok((mending?.outcome.same ?? 0) > 0.9);
  assert.equal(await mend(quantized, batches, rows, () => false), undefined);
});

test('layers that are in floats already are neither blamed nor spared', async () => {
  const { quantized, batches } = await prepared();
  const { graph } = quantized;
  const images = batches[0]?.images ?? new Float32Array();
  const kept = await quantizePostTraining(graph, [images], { granularity: 'per-tensor', keepFloat: ['second'] });
  const rows = await sensitivityOf(kept, batches);
  assert.ok(!rows.some(({ layer }) => layer === 'second'));
  await assert.rejects(
    quantizePostTraining(graph, [images], { keepFloat: ['secnd'] }),
    /has no layer secnd; layers: first/,
  );
  await assert.rejects(sensitivityOf(quantized, []), /needs at least one image/);
});
