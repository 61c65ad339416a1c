/** The public list of augmentations: constructors of plain data, and what applies them. */
export type { RandomCrop } from './random-crop.ts';
export { randomCrop } from './random-crop.ts';
export type { RandomFlip } from './random-flip.ts';
export { randomFlip } from './random-flip.ts';
export type { RandomTransform, RandomTransformOptions } from './random-transform.ts';
export { randomTransform } from './random-transform.ts';
export { prepareTransforms, transformNames } from './registry.ts';
export type { Apply, Picture, Transform } from './transform.ts';
