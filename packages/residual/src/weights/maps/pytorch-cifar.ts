/** kuangliu's pytorch-cifar, from which most small ResNets on GitHub descend (models/resnet.py): a 3×3 stem, `shortcut`
 *  and `linear`. They normalise by CIFAR's own mean and deviation. */

import { type PartsMap, torchWeights } from './map.ts';
import { torchvisionParts } from './torchvision.ts';

export const pytorchCifar: PartsMap = {
  name: 'pytorch-cifar',
  title: 'pytorch-cifar (PyTorch)',
  by: 'parts',
  parts: {
    ...torchvisionParts,
    shortcutConv: 'layer{stage}.{block}.shortcut.0',
    shortcutNorm: 'layer{stage}.{block}.shortcut.1',
    fc: 'linear',
  },
  weights: torchWeights,
  layout: 'OIHW',
  epsilon: 1e-5,
  padding: 'symmetric',
  ignored: ['num_batches_tracked'],
};
