/** What tests of TensorFlow's formats share: a network of every operator, and one that pads a maximum with what never wins. */

import * as tfl from '@tensorflow/tfjs-layers';
import { Random } from '../../data/random.ts';
import { batchNormalization } from '../../models/batch-normalization.ts';
import type { Constant, InferenceGraph } from '../graph/graph.ts';
import { infoFor, pretendTrained } from '../graph/testing.ts';

/** A network that no ResNet is: depthwise, gates, dilation, pools of both kinds, reshapes, concatenation, ReLU6. */
export function otherOperators(): tfl.LayersModel {
  const L = tfl.layers;
  const apply = (layer: tfl.layers.Layer, ...inputs: tfl.SymbolicTensor[]) =>
    layer.apply(inputs.length === 1 ? (inputs[0] as tfl.SymbolicTensor) : inputs) as tfl.SymbolicTensor;
  const input = tfl.input({ shape: [11, 10, 4] });
  let x = apply(batchNormalization(), input);
  x = apply(L.depthwiseConv2d({ kernelSize: 3, strides: [2, 2], depthMultiplier: 2, padding: 'same' }), x);
  x = apply(L.activation({ activation: 'swish' }), x);
  const mean = apply(L.globalAveragePooling2d({ dataFormat: 'channelsLast' }), x);
  const gate = apply(
    L.conv2d({ filters: 8, kernelSize: 1, activation: 'sigmoid' }),
    apply(L.reshape({ targetShape: [1, 1, 8] }), mean),
  );
  x = apply(L.multiply(), x, gate);
  const left = apply(L.conv2d({ filters: 3, kernelSize: 3, dilationRate: 2, padding: 'same', activation: 'relu6' }), x);
  const right = apply(L.averagePooling2d({ poolSize: 3, strides: 1, padding: 'same' }), x);
  x = apply(L.zeroPadding2d({ padding: 1 }), apply(L.concatenate(), left, right));
  x = apply(L.averagePooling2d({ poolSize: 3, strides: 2 }), x);
  const odd: [[number, number], [number, number]] = [
    [1, 0],
    [0, 1],
  ];
  x = apply(L.maxPooling2d({ poolSize: 2, strides: 1 }), apply(L.zeroPadding2d({ padding: odd }), x));
  x = apply(L.conv2d({ filters: 5, kernelSize: [1, 2] }), apply(L.reshape({ targetShape: [1, 3, 33] }), x));
  x = apply(L.dense({ units: 6 }), apply(L.flatten(), x));
  x = apply(L.reLU({ maxValue: 6 }), apply(batchNormalization(), apply(L.reLU(), x)));
  x = apply(L.dense({ units: 3, activation: 'softmax' }), x);
  return pretendTrained(tfl.model({ inputs: input, outputs: x }));
}

/** A max-pool with padding of its own over numbers below zero, as PyTorch has it and Keras does not. */
export function paddedMaximum(): InferenceGraph {
  const random = Random.at(3);
  const drawn = (...shape: number[]): Constant => ({
    shape,
    values: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.uniform(-2, 0)),
  });
  const base = { activation: 'none' } as const;
  const { preprocessing } = infoFor(otherOperators());
  return {
    name: 'maximum',
    input: { name: 'input', shape: [6, 6, 2], range: 'normalised' },
    nodes: [
      {
        op: 'affine',
        name: 'below',
        inputs: ['input'],
        output: 'below',
        shape: [6, 6, 2],
        scale: drawn(2),
        offset: drawn(2),
        ...base,
      },
      {
        ...{ op: 'maxPool', name: 'pool', inputs: ['below'], output: 'pool', shape: [3, 3, 2] },
        ...{ size: [3, 3], strides: [2, 2], padding: [1, 0, 1, 0] },
      },
      { op: 'globalAveragePool', name: 'mean', inputs: ['pool'], output: 'mean', shape: [2] },
      {
        op: 'dense',
        name: 'fc',
        inputs: ['mean'],
        output: 'output',
        shape: [3],
        weights: drawn(2, 3),
        bias: drawn(3),
        ...base,
      },
    ],
    output: 'output',
    gives: 'logits',
    classes: ['a', 'b', 'c'],
    preprocessing: { ...preprocessing, inputShape: [6, 6, 2], mean: [0, 0], std: [1, 1] },
  };
}
