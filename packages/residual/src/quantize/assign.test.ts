import assert from 'node:assert/strict';
import { test } from 'node:test';
import { everyOp } from '../export/tflite/testing.ts';
import { assignQuantization } from './assign.ts';

function rangesOf(graph: ReturnType<typeof everyOp>) {
  const names = [graph.input.name, ...graph.nodes.map(({ output }) => output)];
  return new Map(names.map((name, i) => [name, { min: -i, max: 100 + i }]));
}

test('what the specification binds is bound: pools, padding, reshapes and joins keep their scale', () => {
  const graph = everyOp('bytes');
  const { values, weights, biases } = assignQuantization(graph, rangesOf(graph));
  for (const node of graph.nodes) {
    if (!['maxPool', 'averagePool', 'pad', 'reshape', 'concat'].includes(node.op)) continue;
    for (const input of node.inputs) assert.deepEqual(values[input], values[node.output], node.name);
  }
  assert.notDeepEqual(values.squeeze, values.uncounted);
  assert.deepEqual(values.output, { scale: 1 / 256, zeroPoint: -128 });
  assert.deepEqual(values.gate, { scale: 1 / 256, zeroPoint: -128 });
  assert.deepEqual(values.input, { scale: 1, zeroPoint: -128 });
  const trained = ['norm', 'conv', 'depthwise', 'excite', 'narrow', 'flatNorm', 'fc'];
  assert.deepEqual(Object.keys(weights), trained);
  assert.deepEqual(Object.keys(biases), trained);
  assert.equal(weights.depthwise.scales.length, 16);
});

test('a layer in floats needs no integers and binds nothing', () => {
  const graph = everyOp();
  const keepFloat = ['counted', 'uncounted', 'conv'];
  const { values, weights } = assignQuantization(graph, rangesOf(graph), { keepFloat });
  assert.notDeepEqual(values.depthwise, values.uncounted);
  assert.equal(weights.conv, undefined);
});

test('a value without a range is named', () => {
  const graph = everyOp();
  const ranges = rangesOf(graph);
  ranges.delete('sum');
  assert.throws(() => assignQuantization(graph, ranges), /^ModelError: quantization: no range was measured for sum/);
});
