/** MXNet's ResNets in their three spellings: Gluon's model zoo by prefix (`resnetv10_stage1_conv0_weight`, as in the ONNX
 *  zoo) and by structure (`features.4.0.body.0.weight`), and GluonCV's v1b (`resnetv1b0_layers1_conv0_weight`).
 *  (python/mxnet/gluon/model_zoo/vision/resnet.py, gluoncv/model_zoo/resnetv1b.py.) */

import { imagenet, type PartsMap, type WeightNames } from './map.ts';
import { torchvisionParts } from './torchvision.ts';

const underscored: WeightNames = {
  kernel: '_weight',
  bias: '_bias',
  gamma: '_gamma',
  beta: '_beta',
  moving_mean: '_running_mean',
  moving_variance: '_running_var',
};

const dotted: WeightNames = {
  kernel: '.weight',
  bias: '.bias',
  gamma: '.gamma',
  beta: '.beta',
  moving_mean: '.running_mean',
  moving_variance: '.running_var',
};

const origin = {
  by: 'parts',
  layout: 'OIHW',
  epsilon: 1e-5,
  padding: 'symmetric',
  ignored: [],
  preprocessing: imagenet,
} as const;

const v1 = {
  blocks: 'bottleneck',
  text: "Gluon's v1 strides in the first 1×1 convolution of a block, ours in the 3×3: the same weights, other results",
} as const;

/** By the prefixes of the layers; a number follows the network's own (`resnetv10_`, `resnetv15_`). */
export const gluon: PartsMap = {
  ...origin,
  name: 'gluon',
  title: "MXNet Gluon's model zoo",
  parts: {
    conv1: 'conv0',
    bn1: 'batchnorm0',
    conv: 'stage{stage}_conv{n}',
    bn: 'stage{stage}_batchnorm{n}',
    shortcutConv: 'stage{stage}_conv{n}',
    shortcutNorm: 'stage{stage}_batchnorm{n}',
    fc: 'dense0',
  },
  weights: underscored,
  caution: v1,
};

/** As `save_parameters` writes them. */
export const gluonStructure: PartsMap = {
  ...origin,
  name: 'gluon-structure',
  title: "MXNet Gluon's model zoo, by structure",
  parts: {
    conv1: 'features.0',
    bn1: 'features.1',
    conv: 'features.{feature}.{block}.body.{body}',
    bn: 'features.{feature}.{block}.body.{body1}',
    shortcutConv: 'features.{feature}.{block}.downsample.0',
    shortcutNorm: 'features.{feature}.{block}.downsample.1',
    fc: 'output',
  },
  weights: dotted,
  caution: v1,
};

/** Strides as torchvision does. */
export const gluonV1b: PartsMap = {
  ...origin,
  name: 'gluoncv',
  title: "GluonCV's v1b",
  parts: {
    conv1: 'conv0',
    bn1: 'batchnorm0',
    conv: 'layers{stage}_conv{m}',
    bn: 'layers{stage}_batchnorm{m}',
    shortcutConv: 'down{stage}_conv0',
    shortcutNorm: 'down{stage}_batchnorm0',
    fc: 'dense0',
  },
  weights: underscored,
};

/** GluonCV's v1b as `save_parameters` writes it: torchvision's names of layers, MXNet's of weights. */
export const gluonV1bStructure: PartsMap = {
  ...origin,
  name: 'gluoncv-structure',
  title: "GluonCV's v1b, by structure",
  parts: torchvisionParts,
  weights: dotted,
};
