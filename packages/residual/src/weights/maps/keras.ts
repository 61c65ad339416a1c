/** Files of Keras, TF.js and TensorFlow: by the names of the layers, or, where those were made up (`conv2d_17`), by order.
 *  The network of the guide has nothing but made-up names. */

import type { WeightFormat } from '../tensor.ts';
import type { LayersMap, OrderMap, PartsMap } from './map.ts';

const formats: readonly WeightFormat[] = ['keras', 'tfjs', 'tensorflow'];

/** What trainers leave beside the weights. */
const ignored = ['save_counter', '_CHECKPOINTABLE_OBJECT_GRAPH', 'seed_generator_state'];

export const kerasLayers: LayersMap = {
  name: 'layers',
  title: "the model's own names of layers",
  by: 'layers',
  formats,
  layout: 'HWIO',
  epsilon: 'model',
  padding: 'model',
  ignored,
};

/** Keras's defaults: ε 1e-3, SAME padding, as in the guide. */
export const kerasOrder: OrderMap = {
  name: 'order',
  title: "Keras's made-up names, in the order of the layers",
  by: 'order',
  formats,
  layout: 'HWIO',
  epsilon: 1e-3,
  padding: 'same',
  ignored,
};

/** `tf.keras.applications`: ResNet50, 101 and 152 (keras/src/applications/resnet.py). */
export const kerasApplications: PartsMap = {
  name: 'keras-applications',
  title: 'keras.applications',
  by: 'parts',
  formats,
  parts: {
    conv1: 'conv1_conv',
    bn1: 'conv1_bn',
    conv: 'conv{stage2}_block{block1}_{conv}_conv',
    bn: 'conv{stage2}_block{block1}_{conv}_bn',
    shortcutConv: 'conv{stage2}_block{block1}_0_conv',
    shortcutNorm: 'conv{stage2}_block{block1}_0_bn',
    fc: 'predictions',
  },
  weights: {
    kernel: '/kernel',
    bias: '/bias',
    gamma: '/gamma',
    beta: '/beta',
    moving_mean: '/moving_mean',
    moving_variance: '/moving_variance',
  },
  layout: 'HWIO',
  epsilon: 1.001e-5,
  padding: 'symmetric',
  ignored,
  caution: {
    blocks: 'bottleneck',
    text:
      'keras.applications strides in the first 1×1 convolution of a block, ours in the 3×3, and takes BGR pixels from ' +
      '0 to 255 less their means: the same weights, other results',
  },
};
