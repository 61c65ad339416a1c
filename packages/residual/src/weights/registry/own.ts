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
  size: 22_374_196,
  sha256: 'd63180a65c25a7b9aa0b4d1399d6d94c13c60d0e4c1bb9cf1ec48021f6f80a54',
  licence: 'Apache-2.0',
  // Mean and deviation of the 57,000 images that it was trained on.
  preprocessing: { size: 28, crop: 1, channels: 1, mean: [0.2861191125573036], std: [0.353085559987218] },
  classes: 'fashion-mnist',
  accuracy: { top1: 94.71, on: "Fashion-MNIST's 10,000 test images", source: 'weights/README.md of this package' },
  page: 'https://github.com/zalandoresearch/fashion-mnist',
};
