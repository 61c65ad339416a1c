/** What a recipe may say: every section, key, range and default, in one place.
 *  The types, the errors, the list of keys and the editor's schema all follow from it. */

import { z } from 'zod';
import { modelNames } from '../models/registry.ts';
import { batchNormChoices } from '../models/transfer/freeze.ts';
import { clusterSection, pruneSection } from './compression.ts';
import { choice, duration, flag, number, text, whole } from './kinds.ts';
import { lossSection } from './loss.ts';
import { optimizerSection } from './optimizer.ts';
import { scheduleSection } from './schedule.ts';
import { transforms } from './transforms.ts';

const pixels = { min: 1, max: 16_384 } as const;

const size = z
  .union([whole('', pixels), z.tuple([whole('', pixels), whole('', pixels)])])
  .meta({ rule: 'pixels, as 224 or [120, 160] (height, width)', help: 'bring images to this size' });

const perChannel = z.array(z.number()).min(1).meta({ rule: 'a list of numbers, one for each channel', help: '' });

const data = z.strictObject({
  size: size.exactOptional(),
  channels: z
    .union([z.literal(1), z.literal(3)])
    .meta({ rule: '1 (grey) or 3 (colour)', help: '1 for grey, 3 for colour; default as stored' })
    .exactOptional(),
  resize: choice('how images of another shape are brought to the size', ['cover', 'contain', 'stretch']).default(
    'cover',
  ),
  crop: number('part of the resized sides that is kept, cut from the centre; 0.875 resizes to 256 and cuts 224', {
    min: 0,
    max: 1,
    above: true,
  }).exactOptional(),
  interpolation: choice('how pixels are found when an image is resized; default lanczos', [
    'nearest',
    'bilinear',
    'bicubic',
    'lanczos',
  ]).exactOptional(),
  validation: number('part of each class held out for validation; default 0.1, or 0.2 for a folder of pictures', {
    min: 0,
    max: 1,
    below: true,
  }).exactOptional(),
  test: number('part held out for the test, where the data has no test images of its own', {
    min: 0,
    max: 1,
    below: true,
  }).default(0),
  normalize: z
    .union([z.enum(['dataset', 'unit', 'imagenet', 'weights']), z.strictObject({ mean: perChannel, std: perChannel })])
    .meta({
      rule: 'dataset, unit, imagenet, weights, or { mean: [...], std: [...] }',
      help: "dataset: by the training images' mean and deviation; unit: to 0–1; imagenet: by ImageNet's; weights: as the pictures that the weights were trained on",
    })
    .default('dataset'),
});

const model = z.strictObject({
  name: choice('the architecture', modelNames as unknown as readonly [string, ...string[]]).default('resnet18'),
  stem: choice('how images enter; default cifar up to 64 pixels, imagenet above', [
    'cifar',
    'imagenet',
  ]).exactOptional(),
  width: whole('filters of the first stage', { min: 1, max: 4096 }).default(64),
  widths: z
    .record(z.string(), whole('', { min: 1, max: 65_536 }))
    .meta({
      rule: 'filters by names of convolutions, as { layer1.0.conv1: 48 }',
      help: 'filters of single convolutions, where channels were pruned',
    })
    .exactOptional(),
  convention: choice('whose details the network follows', ['torchvision', 'keras']).default('torchvision'),
  preactivation: flag('normalise before each convolution, not after it').default(false),
  zeroInitResidual: flag('start each block as the identity').default(false),
  weights: text("begin with a trained model's weights", 'a run, a file of weights, a name or a URL').exactOptional(),
  freeze: z
    .union([z.enum(['none', 'backbone']), whole('', { min: 1, max: 1000 })])
    .meta({
      rule: 'none, backbone, or how many of the last blocks learn',
      help: 'what does not learn: nothing, all but the classifier, or all but that and the last blocks',
    })
    .default('none'),
  batchNorm: choice(
    'batch normalisation: frozen where its part is (follow) or everywhere, or with the statistics of each batch, or learning',
    batchNormChoices,
  ).default('follow'),
});

const ema = z.strictObject({
  decay: number('what the average of the weights keeps of itself at each step; 0: no average', {
    min: 0,
    max: 1,
    below: true,
  }).default(0),
  warmup: flag('begin with a smaller decay').default(true),
});

const lookahead = z.strictObject({
  every: whole('steps between two pulls towards the slow weights; 0: none', { min: 0 }).default(0),
  alpha: number('how far the slow weights go towards the fast ones', { min: 0, max: 1, above: true }).default(0.5),
  ramp: duration("in which the pull grows to its strength (airbench's form)").default(0),
});

const evaluation = z.strictObject({
  flip: flag('also measure with the predictions of each picture and its mirror image averaged').default(false),
  translate: whole('and of views moved by so many pixels', { min: 0, max: 64 }).default(0),
});

const training = z.strictObject({
  epochs: whole('passes over the training images', { min: 1, max: 100_000 }).default(20),
  resolution: z
    .array(z.strictObject({ until: duration('when the stage ends'), size }))
    .meta({
      rule: 'a list of stages, as [{ until: 50%, size: 20 }], whose ends rise',
      help: 'smaller (or larger) pictures for a part of the run; whole ones after the last stage',
    })
    .default([]),
  batch: whole('images per step', { min: 1, max: 65_536 }).default(128),
  unfreeze: z
    .array(
      z.strictObject({
        epoch: whole('the first epoch of the stage', { min: 1 }),
        blocks: z
          .union([z.literal('all'), whole('', { min: 0, max: 1000 })])
          .meta({ rule: 'a whole number from 0 up, or all', help: 'how many of the last blocks learn from then on' }),
      }),
    )
    .meta({
      rule: 'a list of stages, as [{ epoch: 3, blocks: 1 }], whose epochs rise',
      help: 'gradual unfreezing: how many of the last blocks learn from which epoch on',
    })
    .default([]),
  cacheFeatures: flag('compute the features of a frozen backbone once, where no augmentation changes them').default(
    true,
  ),
  views: whole('and where it does, of so many augmented views of each picture; 0: compute them in every epoch', {
    min: 0,
    max: 10_000,
  }).default(0),
  microBatch: whole('the most images that are computed at once; default all of a batch', { min: 1 }).exactOptional(),
  earlyStopping: whole('end after so many epochs without a better validation loss, with the best weights; 0: do not', {
    min: 0,
  }).default(0),
  seed: whole('same seed, same weights, bit for bit', { min: 0 }).default(1),
});

const sections = z.strictObject({
  about: text('one line for residual recipes').default('a recipe'),
  data: data.prefault({}),
  model: model.prefault({}),
  augment: transforms.default([]),
  loss: lossSection.prefault({ name: 'crossEntropy' }),
  optimizer: optimizerSection.prefault({ name: 'sgd' }),
  schedule: scheduleSection.prefault({ name: 'constant' }),
  ema: ema.prefault({}),
  lookahead: lookahead.prefault({}),
  prune: pruneSection.prefault({}),
  cluster: clusterSection.prefault({}),
  training: training.prefault({}),
  evaluation: evaluation.prefault({}),
  search: z
    .record(z.string(), z.union([z.string(), z.array(z.unknown())]))
    .meta({
      rule: 'keys with ranges or lists, as { optimizer.learningRate: 0.01..1 log }',
      help: 'what residual tune tries',
    })
    .default({}),
});

/** A whole recipe. */
export const recipeSchema = sections.superRefine(({ data, schedule, prune, cluster, training }, context) => {
  const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
  if ((data.validation ?? 0) + data.test >= 1) {
    refuse(['data', 'test'], 'must leave images to train on: less than 1 together with validation');
  }
  if (prune.sparsity > 0 && cluster.clusters > 0) {
    refuse(['cluster', 'clusters'], 'must be 0 while weights are pruned: prune first, then cluster what came of it');
  }
  if ('warmup' in schedule && typeof schedule.warmup === 'number' && schedule.warmup >= training.epochs) {
    refuse(['schedule', 'warmup'], `must be less than the ${training.epochs} epochs`);
  }
});

/** How to train, as plain data with every key filled in: what a run's folder keeps. */
export type Recipe = z.output<typeof recipeSchema>;
