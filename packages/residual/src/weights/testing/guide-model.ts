/** The network of the guide, written in TF.js as the guide writes it in Keras: no layer has a name of its own. */

import * as tfl from '@tensorflow/tfjs-layers';
import '../../models/batch-normalization.ts';

export interface GuideOptions {
  /** Make the shortcut's layers before those of its block, as many do. */
  readonly shortcutFirst?: boolean;
}

export function guideModel(
  inputShape: [number, number, number],
  classes: number,
  width: number,
  { shortcutFirst = false }: GuideOptions = {},
): tfl.LayersModel {
  const { conv2d, batchNormalization, reLU, add, maxPooling2d, globalAveragePooling2d, dense } = tfl.layers;
  const apply = (layer: tfl.layers.Layer, x: tfl.SymbolicTensor) => layer.apply(x) as tfl.SymbolicTensor;
  const conv = (x: tfl.SymbolicTensor, filters: number, kernelSize: number, strides: number) =>
    apply(batchNormalization(), apply(conv2d({ filters, kernelSize, strides, padding: 'same' }), x));
  const block = (x: tfl.SymbolicTensor, filters: number, stride: number) => {
    const shortcut = () => (stride === 1 && x.shape.at(-1) === filters ? x : conv(x, filters, 1, stride));
    const early = shortcutFirst ? shortcut() : undefined;
    const y = conv(apply(reLU(), conv(x, filters, 3, stride)), filters, 3, 1);
    return apply(reLU(), add().apply([y, early ?? shortcut()]) as tfl.SymbolicTensor);
  };
  const inputs = tfl.input({ shape: inputShape });
  let x = apply(reLU(), conv(inputs, width, 7, 2));
  x = apply(maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }), x);
  for (let stage = 0; stage < 4; stage++) {
    x = block(x, width * 2 ** stage, stage === 0 ? 1 : 2);
    x = block(x, width * 2 ** stage, 1);
  }
  x = apply(globalAveragePooling2d({ dataFormat: 'channelsLast' }), x);
  return tfl.model({ inputs, outputs: apply(dense({ units: classes, activation: 'softmax' }), x) });
}
