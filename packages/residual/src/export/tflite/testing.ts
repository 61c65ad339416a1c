/** What the tests here share: a graph with every kind of node, and paddings that TFLite cannot say.
 *  No real network has them all. */

import { Random } from '../../data/random.ts';
import { checkGraph } from '../graph/check.ts';
import type { Constant, GraphNode, InferenceGraph, Shape } from '../graph/graph.ts';

/** Random numbers around 0, the same for the same seed. */
export function constant(shape: Shape, seed: number, spread = 0.5): Constant {
  const random = Random.at(seed);
  const length = shape.reduce((a, b) => a * b, 1);
  return { shape, values: Float32Array.from({ length }, () => random.uniform(-spread, spread)) };
}

/**
 * Every operation, with strides, dilation, uneven padding, values below 0 before a padded maximum, and a gate as squeeze
 * and excitation has it.
 */
export function everyOp(range: 'normalised' | 'bytes' = 'normalised'): InferenceGraph {
  const ones: readonly [number, number] = [1, 1];
  const scale = range === 'bytes' ? 1 / 64 : 1;
  const nodes: GraphNode[] = [
    {
      op: 'affine',
      name: 'norm',
      inputs: ['input'],
      output: 'norm',
      shape: [13, 11, 3],
      scale: { shape: [3], values: Float32Array.of(0.9 * scale, 1.1 * scale, 1.3 * scale) },
      offset: { shape: [3], values: Float32Array.of(0.1, -0.4, -1.2) },
      activation: 'none',
    },
    {
      op: 'conv2d',
      name: 'conv',
      inputs: ['norm'],
      output: 'conv',
      shape: [7, 6, 8],
      filter: constant([3, 3, 3, 8], 1),
      bias: constant([8], 2),
      strides: [2, 2],
      dilation: ones,
      padding: [2, 0, 1, 1],
      activation: 'none',
    },
    {
      op: 'maxPool',
      name: 'maximum',
      inputs: ['conv'],
      output: 'maximum',
      shape: [8, 5, 8],
      size: [2, 2],
      strides: ones,
      padding: [1, 1, 0, 0],
    },
    {
      op: 'depthwiseConv2d',
      name: 'depthwise',
      inputs: ['maximum'],
      output: 'depthwise',
      shape: [8, 5, 16],
      filter: constant([3, 3, 8, 2], 3),
      bias: constant([16], 4),
      strides: ones,
      dilation: [2, 2],
      padding: [2, 2, 2, 2],
      activation: 'relu6',
    },
    {
      op: 'averagePool',
      name: 'counted',
      inputs: ['depthwise'],
      output: 'counted',
      shape: [8, 5, 16],
      size: [3, 3],
      strides: ones,
      padding: [1, 1, 1, 1],
      countPadding: true,
    },
    {
      op: 'averagePool',
      name: 'uncounted',
      inputs: ['counted'],
      output: 'uncounted',
      shape: [8, 5, 16],
      size: [3, 3],
      strides: ones,
      padding: [1, 1, 1, 1],
      countPadding: false,
    },
    { op: 'globalAveragePool', name: 'squeeze', inputs: ['uncounted'], output: 'squeeze', shape: [16] },
    {
      op: 'dense',
      name: 'excite',
      inputs: ['squeeze'],
      output: 'excite',
      shape: [16],
      weights: constant([16, 16], 5),
      bias: constant([16], 6),
      activation: 'none',
    },
    { op: 'sigmoid', name: 'gate', inputs: ['excite'], output: 'gate', shape: [16] },
    { op: 'reshape', name: 'gates', inputs: ['gate'], output: 'gates', shape: [1, 1, 16] },
    { op: 'mul', name: 'gated', inputs: ['uncounted', 'gates'], output: 'gated', shape: [8, 5, 16] },
    {
      op: 'add',
      name: 'sum',
      inputs: ['gated', 'depthwise'],
      output: 'sum',
      shape: [8, 5, 16],
      activation: 'none',
    },
    { op: 'concat', name: 'joined', inputs: ['sum', 'maximum'], output: 'joined', shape: [8, 5, 24] },
    { op: 'pad', name: 'padded', inputs: ['joined'], output: 'padded', shape: [9, 7, 24], padding: [0, 1, 1, 1] },
    { op: 'relu', name: 'relu', inputs: ['padded'], output: 'relu', shape: [9, 7, 24] },
    {
      op: 'conv2d',
      name: 'narrow',
      inputs: ['relu'],
      output: 'narrow',
      shape: [5, 4, 6],
      filter: constant([3, 3, 24, 6], 7, 0.2),
      bias: constant([6], 8),
      strides: [2, 2],
      dilation: ones,
      padding: [1, 1, 1, 1],
      activation: 'relu',
    },
    {
      op: 'maxPool',
      name: 'positive',
      inputs: ['narrow'],
      output: 'positive',
      shape: [3, 3, 6],
      size: [3, 3],
      strides: [2, 2],
      padding: [1, 1, 1, 2],
    },
    { op: 'relu6', name: 'clipped', inputs: ['positive'], output: 'clipped', shape: [3, 3, 6] },
    { op: 'reshape', name: 'flat', inputs: ['clipped'], output: 'flat', shape: [54] },
    {
      op: 'affine',
      name: 'flatNorm',
      inputs: ['flat'],
      output: 'flatNorm',
      shape: [54],
      scale: constant([54], 9, 1),
      offset: constant([54], 10, 1),
      activation: 'relu',
    },
    {
      op: 'dense',
      name: 'fc',
      inputs: ['flatNorm'],
      output: 'fc',
      shape: [5],
      weights: constant([54, 5], 11, 0.3),
      bias: constant([5], 12),
      activation: 'none',
    },
    { op: 'softmax', name: 'softmax', inputs: ['fc'], output: 'output', shape: [5] },
  ];
  const graph: InferenceGraph = {
    name: 'everyOp',
    input: { name: 'input', shape: [13, 11, 3], range },
    nodes,
    output: 'output',
    gives: 'probabilities',
    classes: ['ant', 'bee', 'cat', 'dog', 'été'],
    preprocessing: {
      inputShape: [13, 11, 3],
      resize: 'cover',
      mean: [0.485, 0.456, 0.406],
      std: [0.229, 0.224, 0.225],
    },
  };
  checkGraph(graph);
  return graph;
}
