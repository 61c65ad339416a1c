/** `residual augment`: its options and its help. The work is in `augment-run.ts`. */

import { defineCommand } from './command.ts';
import { pixelOptions } from './options.ts';

/** What is shown when nothing else is asked for. */
export const defaultTransforms = 'randomCrop,randomFlip,randAugment';

export const augmentOptions = {
  transforms: {
    kind: 'text',
    value: 'LIST',
    help: 'augmentations with their options, as name or name(option=value,…)',
    default: defaultTransforms,
  },
  images: { kind: 'integer', value: 'N', min: 1, max: 100, help: 'how many images, a row for each', default: 6 },
  variants: { kind: 'integer', value: 'N', min: 1, max: 50, help: 'how many epochs, a column for each', default: 7 },
  seed: { kind: 'integer', value: 'N', min: 0, help: 'of the choice of images and of all changes', default: 1 },
  out: { kind: 'text', value: 'FILE', help: 'the PNG to write', default: 'augmented.png' },
  ...pixelOptions,
} as const;

export const augmentCommand = defineCommand({
  name: 'augment',
  summary: 'show what augmentation makes of your pictures',
  arguments: '[DATA]',
  takes: [0, 1],
  about:
    'Writes a contact sheet: a row for each image, first as it is, then as training would see it in epoch after ' +
    'epoch. Look at it before you train: can you still tell what is in each picture? If not, the augmentation is too ' +
    'strong; if all look alike, too weak.\n' +
    'Augmentations: randomCrop, randomResizedCrop, randomFlip, alternatingFlip, randomAffine, colorJitter, ' +
    'randomGrayscale, gaussianBlur, cutout, randomErasing, randAugment, trivialAugment, augMix; and at the end of the ' +
    'list mixup and cutMix, which mix each image with another one of the sheet.',
  options: augmentOptions,
  examples: [
    ['residual augment photos/', 'a sheet of six pictures, in augmented.png'],
    ['residual augment photos/ --transforms randomResizedCrop,randomFlip', 'other augmentations'],
    ['residual augment --transforms "randomAffine(rotation=15)" --out sheet.png', 'the embedded data, rotated'],
  ],
  run: async (positionals, values) => (await import('./augment-run.ts')).augment(positionals, values),
});
