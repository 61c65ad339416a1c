/** `residual quantize`: its options and its help. The work is in `quantize-run.ts`, and the training is `residual train`'s. */

import { defineCommand } from './command.ts';
import { trainOptions } from './train.ts';

const { recipe, set, epochs, batch, lr, seed, data, ema, name, runs, threads, backend, quiet, json } = trainOptions;

export const quantizeOptions = {
  bits: {
    kind: 'integer',
    value: 'N',
    min: 2,
    max: 8,
    help: 'of weights and values while it trains; runtimes compute with 8',
    default: 8,
    group: 'Integers',
  },
  'weight-bits': {
    kind: 'integer',
    value: 'N',
    min: 2,
    max: 8,
    help: 'of weights alone',
    default: 'as --bits',
    group: 'Integers',
  },
  scales: {
    kind: 'choice',
    value: 'OF',
    choices: ['per-channel', 'per-tensor'],
    help: 'a scale for each output channel of the weights, or one for all',
    default: 'per-channel',
    group: 'Integers',
  },
  scheme: {
    kind: 'choice',
    value: 'KIND',
    choices: ['asymmetric', 'symmetric'],
    help: 'symmetric: the integer of 0 is 0, as TensorRT wants it',
    default: 'asymmetric',
    group: 'Integers',
  },
  calibrate: {
    kind: 'integer',
    value: 'N',
    min: 1,
    help: 'training images that the first ranges are taken from',
    default: 256,
    group: 'Integers',
  },
  'freeze-after': {
    kind: 'integer',
    value: 'EPOCHS',
    min: 0,
    help: 'from then on ranges and batch normalisation stay as they are',
    default: 'half of the epochs',
    group: 'Integers',
  },
  data: { ...data, help: 'other images of the same classes', default: 'the data of the run' },
  epochs: { ...epochs, default: 4 },
  batch: { ...batch, default: "the run's" },
  lr: { ...lr, default: 0.005 },
  ema,
  seed: { ...seed, default: "the run's" },
  recipe: { ...recipe, help: 'how to train, in place of the recipe of the run', default: "the run's, gently" },
  set,
  name: { ...name, default: 'RUN-int8' },
  runs,
  'checkpoint-every': trainOptions['checkpoint-every'],
  tensorboard: trainOptions.tensorboard,
  csv: trainOptions.csv,
  threads,
  backend,
  quiet,
  json,
} as const;

export const quantizeCommand = defineCommand({
  name: 'quantize',
  summary: 'train a network on to compute in 8-bit integers',
  arguments: 'RUN',
  takes: [1, 1],
  about:
    'Where residual export --quantize int8 alone loses too much: trains RUN on for some epochs with all weights and ' +
    'values rounded as integers round them (quantization-aware training), on the data of RUN and by its recipe, but with a ' +
    'small learning rate. The result is a new run, whose accuracy is measured in those integers; its export with ' +
    '--quantize int8 takes the scales that were trained and calibrates nothing.\n' +
    'The first epochs find the scales, the last ones train with fixed scales the very network that is exported. Ctrl-C ' +
    'saves; residual train --resume goes on.',
  options: quantizeOptions,
  examples: [
    ['residual quantize runs/first', 'into runs/first-int8'],
    ['residual quantize runs/first --epochs 2 --freeze-after 0', 'quick: fixed scales from the start'],
    ['residual quantize runs/first --scheme symmetric --name jetson', 'for TensorRT'],
    ['residual quantize runs/first --weight-bits 4', 'weights of 16 values'],
  ],
  run: async (positionals, values) => (await import('./quantize-run.ts')).quantize(positionals, values),
});
