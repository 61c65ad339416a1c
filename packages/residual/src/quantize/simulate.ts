/** A quantized network computed in floats that are rounded as its integers are: what int8 will do, without a runtime.
 *  It shows which layer loses accuracy, and files are held against it more closely than against the original. */

import * as tf from '@tensorflow/tfjs-core';
import type { Constant, GraphNode, InferenceGraph } from '../export/graph/graph.ts';
import { openGraph, type RunningGraph } from '../export/graph/index.ts';
import { openIntegers } from './integer/open.ts';
import type { AffineParameters, Quantization } from './parameters.ts';
import { dequantizeWeights } from './weights.ts';

/**
 * Opens a quantized graph: in integers where the backend that is set has kernels for them (`jit`), in floats that are
 * rounded as the integers are elsewhere. The two differ by single steps of a scale, where a number lies near a half.
 *
 * @example const running = openQuantized(graph, quantization); const probabilities = await running.run(images)
 */
export function openQuantized(graph: InferenceGraph, quantization: Quantization): RunningGraph {
  return openIntegers(graph, quantization) ?? openSimulated(graph, quantization);
}

/** Opens the graph with rounded weights, biases and values. Of values, those are rounded that the quantization's `rules`
 *  say; halves go to even. */
export function openSimulated(graph: InferenceGraph, quantization: Quantization): RunningGraph {
  const rounded: InferenceGraph = {
    ...graph,
    nodes: graph.nodes.map((node) => roundedNode(graph, node, quantization)),
  };
  const integers = new Set(
    quantization.rules === 'onnx'
      ? Object.keys(quantization.values)
      : graph.nodes
          .filter(({ name }) => !quantization.float.has(name))
          // What an integer layer reads is rounded too, whoever made it; here for all of its readers alike.
          .flatMap(({ inputs, output }) => [...inputs, output]),
  );
  return openGraph(rounded, {
    each: (name, value) => (integers.has(name) ? roundTo(value, quantization.values[name]) : value),
  });
}

/** Every number as the integer that stands for it would give it back. */
function roundTo(value: tf.Tensor, { scale, zeroPoint }: AffineParameters): tf.Tensor {
  const integers = tf.clipByValue(tf.add(tf.round(tf.div(value, scale)), zeroPoint), -128, 127);
  return tf.mul(tf.sub(integers, zeroPoint), scale);
}

function roundedNode(graph: InferenceGraph, node: GraphNode, quantization: Quantization): GraphNode {
  const weights = quantization.weights[node.name];
  if (!weights) return node;
  const input = quantization.values[node.inputs[0]].scale;
  const { scales } = weights;
  const w = (constant: Constant): Constant => ({ ...constant, values: dequantizeWeights(weights) });
  const b = (constant: Constant): Constant => ({
    ...constant,
    values: Float32Array.from(
      quantization.biases[node.name],
      (value, c) => value * input * scales[scales.length === 1 ? 0 : c],
    ),
  });
  switch (node.op) {
    case 'conv2d':
    case 'depthwiseConv2d':
      return { ...node, filter: w(node.filter), bias: b(node.bias) };
    case 'dense':
      return { ...node, weights: w(node.weights), bias: b(node.bias) };
    case 'affine':
      return { ...node, scale: w(node.scale), offset: b(node.offset) };
    default:
      throw new Error(`internal: ${graph.name} has weights for ${node.name} (${node.op})`);
  }
}
