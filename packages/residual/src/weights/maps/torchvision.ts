/** torchvision's ResNets, whose names timm keeps (torchvision/models/resnet.py, timm/models/resnet.py).
 *  Our own layers bear the same names, so that nothing is to be remembered. */

import { imagenet, type PartNames, type PartsMap, torchWeights } from './map.ts';

export const torchvisionParts: PartNames = {
  conv1: 'conv1',
  bn1: 'bn1',
  conv: 'layer{stage}.{block}.conv{conv}',
  bn: 'layer{stage}.{block}.bn{conv}',
  shortcutConv: 'layer{stage}.{block}.downsample.0',
  shortcutNorm: 'layer{stage}.{block}.downsample.1',
  fc: 'fc',
};

export const torchvision: PartsMap = {
  name: 'torchvision',
  title: 'torchvision and timm (PyTorch)',
  by: 'parts',
  parts: torchvisionParts,
  weights: torchWeights,
  layout: 'OIHW',
  epsilon: 1e-5,
  padding: 'symmetric',
  ignored: ['num_batches_tracked'],
  preprocessing: imagenet,
};
