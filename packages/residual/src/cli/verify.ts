/** `residual verify`: its options and its help. The work is in `verify-run.ts`. */

import { defineCommand } from './command.ts';
import { jsonOption, machineOptions, quietOption } from './options.ts';

export const verifyOptions = {
  against: { kind: 'text', value: 'RUN', help: 'compare with the model that the file came from' },
  split: {
    kind: 'choice',
    value: 'PART',
    choices: ['test', 'validation', 'train'],
    help: 'which images',
    default: 'test; all where there are no test images',
  },
  images: { kind: 'integer', value: 'N', min: 1, help: 'measure on this many at most', default: 'all' },
  'max-drop': {
    kind: 'number',
    value: 'POINTS',
    min: 0,
    max: 100,
    help: 'with --against: fail where the accuracy is further below',
    default: 1,
  },
  layers: { kind: 'flag', help: 'with --against: how far each layer agrees with the model, in the runtime itself' },
  ...machineOptions,
  quiet: quietOption,
  json: jsonOption,
} as const;

export const verifyCommand = defineCommand({
  name: 'verify',
  summary: 'measure an exported file in its own runtime',
  arguments: 'FILE DATA',
  takes: [2, 2],
  about:
    'Runs a file of residual export on images with known classes, in the runtime that it was written for, and prints ' +
    'size, accuracy and time. What must be known about classes and preprocessing is read from the file. With --against, ' +
    'the model runs too, and the exit code is 1 where the two disagree. DATA is whatever train takes.',
  options: verifyOptions,
  examples: [
    ['residual verify model.onnx photos/', 'accuracy on all the images of a folder'],
    ['residual verify runs/first/export/model.onnx photos/ --against runs/first', 'and whether it is the same model'],
    ['residual verify model-int8.tflite photos/ --against runs/first --layers', 'and where the two part'],
  ],
  run: async (positionals, values) => (await import('./verify-run.ts')).verify(positionals, values),
});
