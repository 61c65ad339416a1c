import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Graph, type Value } from '../graph/graph.ts';
import { printGraph } from '../graph/print.ts';
import type { Conv2DShape } from '../kernels/conv-shape.ts';
import { runPasses } from './passes.ts';

const unused = () => {
  throw new Error('passes do not build kernels');
};

const PADDED: Conv2DShape = {
  batch: 2,
  inHeight: 10,
  inWidth: 12,
  inChannels: 3,
  outHeight: 4,
  outWidth: 5,
  outChannels: 4,
  filterHeight: 3,
  filterWidth: 3,
  strideHeight: 2,
  strideWidth: 2,
  dilationHeight: 1,
  dilationWidth: 1,
  padTop: 0,
  padLeft: 0,
};

function pad(g: Graph, x: Value, value: number): Value {
  const paddings = [
    [0, 0],
    [1, 1],
    [2, 2],
    [0, 0],
  ] as const;
  const shape = x.shape.map((d, i) => d + paddings[i][0] + paddings[i][1]);
  const [out] = g.recipe({
    name: 'pad',
    key: `${value}`,
    inputs: [x],
    outputs: [{ shape, lane: 'f32' }],
    build: unused,
    detail: { kind: 'pad', paddings, value },
  });
  return out;
}

test('zeros around an image become the padding of the convolution and of its filter gradient', () => {
  const g = new Graph();
  const x = g.input([2, 8, 8, 3], 'f32');
  const filter = g.input([3, 3, 3, 4], 'f32');
  const y = g.windowed('Conv2D', PADDED, [pad(g, x, 0), filter], [2, 4, 5, 4], unused);
  const dw = g.windowed('Conv2DBackpropFilter', PADDED, [pad(g, x, 0), y], [3, 3, 3, 4], unused);
  g.outputs = [y, dw];
  const out = runPasses(g);
  const text = printGraph(out);
  assert.ok(!text.includes('pad'), text);
  for (const { op } of out.outputs) {
    assert.ok(op.kind === 'result' && op.of.op.kind === 'recipe' && op.of.op.detail?.kind === 'window');
    const { shape } = op.of.op.detail;
    assert.deepEqual([shape.inHeight, shape.inWidth, shape.padTop, shape.padLeft], [8, 8, 1, 2]);
  }
});

test('zeros around what a ReLU made become the padding of a max-pool and of its gradient', () => {
  const pooled = (relu: boolean) => {
    const g = new Graph();
    const x = g.input([2, 8, 8, 4], 'f32');
    const shape = { ...PADDED, inChannels: 4, outHeight: 4, outWidth: 5 };
    const dy = g.input([2, 4, 5, 4], 'f32');
    const around = pad(g, relu ? g.apply('relu', x) : x, 0);
    const y = g.windowed('MaxPool', shape, [around], [2, 4, 5, 4], unused);
    const dx = g.windowed('MaxPoolGrad', shape, [dy, around, y], [2, 10, 12, 4], unused);
    g.outputs = [y, g.apply('neg', g.slice(dx, [0, 1, 2, 0], [2, 8, 8, 4]))];
    return printGraph(runPasses(g));
  };
  assert.ok(!pooled(true).includes('pad') && !pooled(true).includes('view'), pooled(true));
  assert.ok(pooled(false).includes('pad'), 'below zero, the zeros are the maximum');
});

test('padding with another value stays', () => {
  const g = new Graph();
  const filter = g.input([3, 3, 3, 4], 'f32');
  g.outputs = [g.windowed('Conv2D', PADDED, [pad(g, g.input([2, 8, 8, 3], 'f32'), 1), filter], [2, 4, 5, 4], unused)];
  assert.ok(printGraph(runPasses(g)).includes('pad'));
});

test('the crop of an input gradient is computed directly', () => {
  const g = new Graph();
  const dy = g.input([2, 4, 5, 4], 'f32');
  const filter = g.input([3, 3, 3, 4], 'f32');
  const dx = g.windowed('Conv2DBackpropInput', PADDED, [dy, filter], [2, 10, 12, 3], unused);
  g.outputs = [g.apply('neg', g.slice(dx, [0, 1, 2, 0], [2, 8, 8, 3]))];
  const text = printGraph(runPasses(g));
  assert.ok(!text.includes('view'), text);
  assert.match(text, /f32\[2,8,8,3\]/);
});

test('the mask of a ReLU is taken from its result, so that its input can go', () => {
  const g = new Graph();
  const x = g.input([5], 'f32');
  const dy = g.input([5], 'f32');
  const pre = g.apply('square', x);
  const y = g.apply('relu', pre);
  const mask = g.apply('step', pre, g.constant(0, [5]));
  g.outputs = [y, g.apply('mul', dy, mask)];
  const out = runPasses(g);
  const step = out.values.find(
    ({ op }) =>
      op.kind === 'apply' && op.fn === 'step' && op.args[0].op.kind === 'apply' && op.args[0].op.fn === 'relu',
  );
  assert.ok(step, printGraph(out));
});
