/** Hugging Face's ResNets, as microsoft/resnet-18 (transformers/models/resnet/modeling_resnet.py). */

import { imagenet, type PartsMap, torchWeights } from './map.ts';

const block = 'resnet.encoder.stages.{stage0}.layers.{block}';

export const huggingFace: PartsMap = {
  name: 'huggingface',
  title: 'Hugging Face transformers (PyTorch)',
  by: 'parts',
  parts: {
    conv1: 'resnet.embedder.embedder.convolution',
    bn1: 'resnet.embedder.embedder.normalization',
    conv: `${block}.layer.{conv0}.convolution`,
    bn: `${block}.layer.{conv0}.normalization`,
    shortcutConv: `${block}.shortcut.convolution`,
    shortcutNorm: `${block}.shortcut.normalization`,
    fc: 'classifier.1',
  },
  weights: torchWeights,
  layout: 'OIHW',
  epsilon: 1e-5,
  padding: 'symmetric',
  ignored: ['num_batches_tracked'],
  preprocessing: imagenet,
};
