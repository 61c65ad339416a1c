/** The weights that come with this package, as an entry like any other: they need no network.
 *  Size, checksum and accuracy of the file stand here and nowhere else. */

import type { WeightsEntry } from './entry.ts';

/** ResNet18 for 28×28 grey pictures (cifar stem), trained on the whole of Fashion-MNIST. */
export const fashionMnistEntry: WeightsEntry = {
  name: 'fashion-mnist/resnet18',
  aliases: ['fashion-mnist'],
  architecture: 'resnet18',
  format: 'safetensors',
  file: 'fashion-mnist-resnet18.safetensors',
  licence: 'Apache-2.0',
  // Mean and deviation of the 60,000 training images.
  preprocessing: { size: 28, crop: 1, channels: 1, mean: [0.286], std: [0.353] },
  classes: 'fashion-mnist',
  page: 'https://github.com/zalandoresearch/fashion-mnist',
};
