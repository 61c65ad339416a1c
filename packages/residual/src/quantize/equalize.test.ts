import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import type { Conv2D, GraphNode, InferenceGraph } from '../export/graph/graph.ts';
import { runGraph } from '../export/graph/index.ts';
import { distance } from '../export/graph/testing.ts';
import { equalize, pairsOf } from './equalize.ts';
import { quantizePostTraining } from './post-training.ts';
import { Likeness } from './signal.ts';
import { openQuantized } from './simulate.ts';
import { conv, dense, depthwise, graphOf, imagesFor, louder } from './testing.ts';

before(() => tf.setBackend('cpu'));

const mean: GraphNode = { op: 'globalAveragePool', name: 'mean', inputs: ['narrow'], output: 'mean', shape: [4] };
const pool: GraphNode = {
  ...{ op: 'maxPool', name: 'pool', inputs: ['depthwise'], output: 'pool', shape: [6, 6, 4] },
  ...{ size: [3, 3], strides: [1, 1], padding: [1, 1, 1, 1] },
};

/** As MobileNet's: channels of one tensor differ a thousandfold, in each layer otherwise. */
function separable(): InferenceGraph {
  return graphOf([
    louder(conv('wide', 'input', [3, 4], 'relu'), [1, 30, 0.03, 3]),
    louder(depthwise('depthwise', 'wide', 4), [0.1, 1, 50, 5]),
    pool,
    conv('narrow', 'pool', [4, 4], 'none'),
    mean,
    dense('classifier', 'mean', [4, 5]),
  ]);
}

test('an equalised network gives what it gave, and both sides of each pair are equally large, channel by channel', async () => {
  const graph = separable();
  const { graph: equal, pairs } = equalize(graph);
  assert.deepEqual(pairs, [
    { first: 'wide', second: 'depthwise' },
    { first: 'depthwise', second: 'narrow' },
    { first: 'narrow', second: 'classifier' },
  ]);
  const images = imagesFor(4);
  assert.ok(distance(await runGraph(graph, images), await runGraph(equal, images)) < 1e-5);
  const largestOf = (name: string, of: (i: number, last: number) => number) => {
    const { filter } = equal.nodes.find((node) => node.name === name) as Conv2D;
    const largest = [0, 0, 0, 0];
    filter.values.forEach((value, i) => {
      const c = of(i, filter.shape[3]);
      largest[c] = Math.max(largest[c], Math.abs(value));
    });
    return largest;
  };
  const given = largestOf('depthwise', (i) => i % 4);
  const taken = largestOf('narrow', (i, last) => Math.floor(i / last) % 4);
  for (const c of [0, 1, 2, 3]) assert.ok(Math.abs(given[c] / taken[c] - 1) < 0.02, `${given} beside ${taken}`);
});

test('it saves what one scale for all weights, and one for all channels of a value, would round away', async () => {
  const graph = separable();
  const images = imagesFor(32);
  const expected = await runGraph(graph, images);
  const kept = async (equal: boolean) => {
    const quantized = await quantizePostTraining(graph, [images], { equalize: equal, granularity: 'per-tensor' });
    const running = openQuantized(quantized.graph, quantized.quantization);
    const likeness = new Likeness();
    likeness.add(expected, (await running.run(images)).get(graph.output) ?? []);
    running.dispose();
    return likeness.sqnr;
  };
  const [plain, equal] = [await kept(false), await kept(true)];
  assert.ok(equal > plain + 10, `${equal} dB beside ${plain} dB`);
});

test('what is read twice, has a corner at 6, or is the answer, is left as it is', () => {
  const [a, b] = [conv('first', 'input', [3, 4], 'relu'), conv('second', 'first', [4, 4], 'none')];
  const sum: GraphNode = {
    ...{ op: 'add', name: 'sum', inputs: ['second', 'first'], output: 'sum', shape: [6, 6, 4], activation: 'relu' },
  };
  const end = [{ ...mean, inputs: ['sum'] } as GraphNode, dense('classifier', 'mean', [4, 5])];
  assert.deepEqual(pairsOf(graphOf([a, b, sum, ...end])), []);
  const cornered = [{ ...a, activation: 'relu6' } as GraphNode, { ...b, output: 'narrow' } as GraphNode, mean, end[1]];
  assert.deepEqual(pairsOf(graphOf(cornered)), [{ first: 'second', second: 'classifier' }]);
});

test('a channel that normalisation switched off does not become the loudest', () => {
  const dead = conv('first', 'input', [3, 4], 'relu');
  const values = dead.filter.values.map((value, i) => (i % 4 === 2 ? value * 1e-12 : value));
  const graph = graphOf([
    { ...dead, filter: { ...dead.filter, values } },
    { ...conv('second', 'first', [4, 4], 'none'), output: 'narrow' },
    mean,
    dense('classifier', 'mean', [4, 5]),
  ]);
  const biases = (of: InferenceGraph) => [...(of.nodes[0] as Conv2D).bias.values];
  const { graph: equal } = equalize(graph);
  assert.equal(biases(equal)[2], biases(graph)[2]);
  assert.notEqual(biases(equal)[1], biases(graph)[1]);
});
