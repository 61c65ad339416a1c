/** `residual train`: its options and its help. The work is in `train-run.ts`.
 *  Defaults are in `defaults.ts`. */

import { defineCommand } from './command.ts';
import { defaultData, runsFolder, shownDefaults as shown } from './defaults.ts';
import { jsonOption, machineOptions, pixelOptions, quietOption } from './options.ts';

/** The default as help shows it: the usual one, and the embedded data's where that is another. */
function both(name: keyof typeof shown.default): string | number {
  const [usual, embedded]: (string | number)[] = [shown.default[name], shown.embedded[name]];
  return usual === embedded ? usual : `${usual}; ${embedded} for ${defaultData}`;
}

export const trainOptions = {
  data: { kind: 'text', value: 'DATA', help: 'the same as the argument DATA', default: defaultData, group: 'Data' },
  ...pixelOptions,
  resize: {
    kind: 'choice',
    value: 'HOW',
    choices: ['cover', 'contain', 'stretch'],
    help: 'how images of another shape are brought to the size',
    default: 'cover',
    group: 'Data',
  },
  validation: {
    kind: 'number',
    value: 'F',
    min: 0,
    max: 1,
    below: true,
    help: 'part of each class to hold out for validation',
    default: '0.1; 0.2 for a folder of pictures',
    group: 'Data',
  },
  test: {
    kind: 'number',
    value: 'F',
    min: 0,
    max: 1,
    below: true,
    help: 'part to hold out for the test, where the data has no test images of its own',
    default: 0,
    group: 'Data',
  },
  exclude: {
    kind: 'text',
    value: 'LIST',
    help: 'leave out the samples of a list, as residual doctor writes it',
    default: 'none',
    group: 'Data',
  },
  'crop-padding': {
    kind: 'integer',
    value: 'N',
    min: 0,
    max: 4096,
    help: 'random crops: shift by up to N pixels',
    default: `an eighth of the size; none for ${defaultData}`,
    group: 'Data',
  },
  flip: {
    kind: 'flag',
    help: 'do not mirror images at random (for digits, text, signs)',
    default: true,
    group: 'Data',
  },

  model: {
    kind: 'text',
    value: 'NAME',
    help: 'the architecture; residual summary NAME shows it',
    default: shown.model,
    group: 'Model',
  },
  stem: {
    kind: 'choice',
    value: 'KIND',
    choices: ['cifar', 'imagenet'],
    help: 'how images enter: cifar for small ones, imagenet for photographs',
    default: 'by size',
    group: 'Model',
  },
  width: {
    kind: 'integer',
    value: 'N',
    min: 1,
    max: 4096,
    help: 'filters of the first stage: fewer make a smaller, faster network',
    default: both('width'),
    group: 'Model',
  },
  convention: {
    kind: 'choice',
    value: 'WHOSE',
    choices: ['torchvision', 'keras'],
    help: 'whose details the network follows',
    default: shown.convention,
    group: 'Model',
  },

  recipe: {
    kind: 'text',
    value: 'NAME|FILE',
    help: 'how to train; residual recipes lists them. Every option here changes a key of it',
    default: `default; embedded for ${defaultData}`,
    group: 'Recipe',
  },
  set: {
    kind: 'text',
    value: 'KEY=VALUE',
    many: true,
    help: 'change any key of the recipe, as optimizer.learningRate=0.05',
    group: 'Recipe',
  },

  weights: {
    kind: 'text',
    value: 'W',
    help: 'begin with trained weights: a run, a file, a name (residual weights list) or a URL',
    default: 'random',
    group: 'Model',
  },

  epochs: {
    kind: 'integer',
    value: 'N',
    min: 1,
    max: 100_000,
    help: `passes over the training images`,
    default: both('epochs'),
    group: 'Training',
  },
  batch: {
    kind: 'integer',
    value: 'N',
    min: 1,
    max: 65_536,
    help: 'images per step',
    default: both('batch'),
    group: 'Training',
  },
  lr: {
    kind: 'number',
    value: 'X',
    min: 0,
    above: true,
    help: 'peak learning rate; it falls to 0 along a cosine',
    default: both('lr'),
    group: 'Training',
  },
  momentum: {
    kind: 'number',
    value: 'X',
    min: 0,
    max: 1,
    below: true,
    help: 'of SGD',
    default: shown.momentum,
    group: 'Training',
  },
  nesterov: { kind: 'flag', help: "plain momentum instead of Nesterov's", default: shown.nesterov, group: 'Training' },
  'weight-decay': {
    kind: 'number',
    value: 'X',
    min: 0,
    help: "as PyTorch's",
    default: shown.weightDecay,
    group: 'Training',
  },
  'label-smoothing': {
    kind: 'number',
    value: 'X',
    min: 0,
    max: 1,
    below: true,
    help: 'probability spread over all classes',
    default: shown.labelSmoothing,
    group: 'Training',
  },
  warmup: {
    kind: 'number',
    value: 'N',
    min: 0,
    help: 'epochs in which the learning rate climbs to its peak',
    default: both('warmup'),
    group: 'Training',
  },
  'micro-batch': {
    kind: 'integer',
    value: 'N',
    min: 1,
    max: 65_536,
    help: 'compute a batch in parts of N images, for want of memory',
    default: 'the whole batch',
    group: 'Training',
  },
  ema: {
    kind: 'number',
    value: 'X',
    min: 0,
    max: 1,
    below: true,
    help: 'end with an average of the weights that keeps X of itself at each step, as 0.998',
    default: 'none',
    group: 'Training',
  },
  'early-stopping': {
    kind: 'integer',
    value: 'N',
    min: 1,
    help: 'end after N epochs without a better validation loss, with the best weights',
    default: 'off',
    group: 'Training',
  },
  seed: {
    kind: 'integer',
    value: 'N',
    min: 0,
    help: 'same seed, same weights, bit for bit',
    default: shown.seed,
    group: 'Training',
  },

  name: { kind: 'text', value: 'RUN', help: "the run's name", default: 'data-model-date-time', group: 'Run' },
  runs: { kind: 'text', value: 'FOLDER', help: 'where runs are put', default: runsFolder, group: 'Run' },
  resume: {
    kind: 'text',
    value: 'RUN',
    bare: '',
    help: 'go on with an interrupted run: its name or folder',
    default: 'the latest one',
    group: 'Run',
  },
  'checkpoint-every': {
    kind: 'integer',
    value: 'N',
    min: 1,
    help: 'save a checkpoint every N steps',
    default: 'every epoch',
    group: 'Run',
  },

  tensorboard: { kind: 'flag', help: "write TensorBoard's event files into the run's folder", group: 'Run' },
  csv: { kind: 'flag', help: "write epochs.csv into the run's folder", group: 'Run' },

  ...machineOptions,

  quiet: quietOption,
  json: jsonOption,
} as const;

export const trainCommand = defineCommand({
  name: 'train',
  summary: 'train a network on labelled images',
  arguments: '[DATA]',
  takes: [0, 1],
  about:
    'DATA is a folder of images with a sub-folder for each class, a folder with the idx files of the MNIST family, ' +
    'a folder with the binary batches of CIFAR-10 or CIFAR-100, or fashion-mnist, which comes with residual.\n' +
    'A run lands in runs/NAME: the model, its class names and preprocessing, the history, a checkpoint to go on from, ' +
    'and report.html. Ctrl-C finishes the step, saves, and says how to go on.',
  options: trainOptions,
  examples: [
    ['residual train', 'the embedded data set, good defaults'],
    ['residual train photos/ --epochs 30', 'your own images'],
    ['residual train cifar-10-batches-bin/ --name first', 'CIFAR-10, into runs/first'],
    ['residual train photos/ --size 96 --batch 64 --test 0.1', 'smaller images, a test set held out'],
    ['residual train digits/ --no-flip', 'where left and right matter'],
    ['residual train --resume runs/first', 'go on after Ctrl-C or a power cut'],
  ],
  run: async (positionals, values) => (await import('./train-run.ts')).train(positionals, values),
});
