/** A node between DequantizeLinear and QuantizeLinear in plain loops over doubles, from the definitions of ONNX's
 *  operators: what `onnx-rules.test.ts` holds the kernels against. It knows nothing of factors and sums of integers. */

import type { GraphNode } from '../../../export/graph/graph.ts';
import { type AffineParameters, clamp, type Quantization, roundEven } from '../../parameters.ts';
import { forEachWindow, type Image } from './reference.ts';

/** One node's integers, and how far each number, in steps of the output's scale, was from the half that it was rounded at. */
export interface Rounded {
  readonly values: Int8Array;
  readonly fromHalf: Float64Array;
}

export function computeBetweenPairs(node: GraphNode, inputs: readonly Image[], q: Quantization): Rounded {
  const reals = inputs.map(({ values }, i) => {
    const { scale, zeroPoint } = q.values[node.inputs[i]];
    return Float64Array.from(values, (value) => scale * (value - zeroPoint));
  });
  return quantizeLinear(compute(node, inputs, reals, q), q.values[node.output]);
}

export function quantizeLinear(reals: Float64Array, { scale, zeroPoint }: AffineParameters): Rounded {
  const steps = reals.map((real) => real / scale);
  return {
    values: Int8Array.from(steps, (step) => clamp(roundEven(step) + zeroPoint, -128, 127)),
    fromHalf: steps.map((step) => Math.abs(step - Math.floor(step) - 0.5)),
  };
}

function compute(
  node: GraphNode,
  [{ shape }]: readonly Image[],
  [x, second]: readonly Float64Array[],
  q: Quantization,
): Float64Array {
  const channels = node.shape.at(-1) ?? 1;
  const out = new Float64Array(node.shape.reduce((a, b) => a * b, 1));
  const kind = node.op === 'relu' || node.op === 'relu6' ? node.op : 'activation' in node ? node.activation : 'none';
  const activated = (real: number) => {
    if (kind === 'none') return real;
    return Math.min(Math.max(real, 0), kind === 'relu6' ? 6 : Number.POSITIVE_INFINITY);
  };
  switch (node.op) {
    case 'conv2d':
    case 'depthwiseConv2d': {
      const [rows, columns, deep, last] = node.filter.shape;
      const { weight, bias } = dequantized(node, q);
      forEachWindow(node, [rows, columns], node.dilation, shape, node.shape, (pixel, taps) => {
        for (let o = 0; o < channels; o++) {
          let sum = bias(o);
          for (const [tap, from] of taps) {
            if (node.op === 'conv2d') {
              for (let i = 0; i < deep; i++) sum += x[from * deep + i] * weight((tap * deep + i) * last + o);
            } else {
              sum += x[from * deep + Math.floor(o / last)] * weight(tap * channels + o);
            }
          }
          out[pixel * channels + o] = activated(sum);
        }
      });
      return out;
    }
    case 'dense': {
      const { weight, bias } = dequantized(node, q);
      return out.map((_, o) => activated(x.reduce((sum, value, i) => sum + value * weight(i * channels + o), bias(o))));
    }
    case 'add':
      return out.map((_, i) => activated(x[i] + second[i]));
    case 'mul':
      return out.map((_, i) => x[i] * second[i % second.length]);
    case 'relu':
    case 'relu6':
      return x.map(activated);
    case 'sigmoid':
      return x.map((real) => 1 / (1 + Math.exp(-real)));
    case 'averagePool':
      forEachWindow(node, node.size, [1, 1], shape, node.shape, (pixel, taps) => {
        const count = node.countPadding ? node.size[0] * node.size[1] : taps.length;
        for (let c = 0; c < channels; c++) {
          out[pixel * channels + c] = taps.reduce((sum, [, from]) => sum + x[from * channels + c], 0) / count;
        }
      });
      return out;
    case 'globalAveragePool':
      return out.map((_, c) => {
        const pixels = x.length / channels;
        return Array.from({ length: pixels }, (_, p) => x[p * channels + c]).reduce((a, b) => a + b, 0) / pixels;
      });
    default:
      throw new Error(`internal: ${node.op} only moves numbers`);
  }
}

/** What DequantizeLinear makes of a layer's weights and bias. */
function dequantized(node: GraphNode, q: Quantization) {
  const { values, scales } = q.weights[node.name];
  const biases = q.biases[node.name];
  const { scale: input } = q.values[node.inputs[0]];
  const scale = (i: number) => scales[scales.length === 1 ? 0 : i % biases.length];
  return {
    weight: (i: number) => values[i] * scale(i),
    bias: (o: number) => biases[o] * input * scale(o),
  };
}
