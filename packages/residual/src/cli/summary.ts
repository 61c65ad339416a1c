/** `residual summary`: its options and its help. The work is in `summary-run.ts`. */

import { defineCommand } from './command.ts';
import { jsonOption } from './options.ts';

export const summaryOptions = {
  'input-shape': { kind: 'text', value: 'HxWxC', help: 'size of the images, for a model name', default: '224x224x3' },
  classes: { kind: 'integer', value: 'N', min: 1, help: 'number of classes, for a model name', default: 1000 },
  stem: {
    kind: 'choice',
    value: 'KIND',
    choices: ['cifar', 'imagenet'],
    help: 'how images enter, for a model name',
    default: 'by size',
  },
  width: { kind: 'integer', value: 'N', min: 1, help: 'filters of the first stage, for a model name', default: 64 },
  convention: {
    kind: 'choice',
    value: 'WHOSE',
    choices: ['torchvision', 'keras'],
    help: 'whose details, for a model name',
    default: 'torchvision',
  },
  batch: { kind: 'integer', value: 'N', min: 1, help: 'batch size for the estimate of memory', default: 32 },
  json: jsonOption,
} as const;

export const summaryCommand = defineCommand({
  name: 'summary',
  summary: 'show the layers of a network, its parameters and its cost',
  arguments: 'RUN|MODEL',
  takes: [1, 1],
  about:
    'Prints each layer with its output, its parameters and its multiply-adds per image, and the totals with an ' +
    'estimate of the memory that training takes.',
  options: summaryOptions,
  examples: [
    ['residual summary resnet18', 'at 224×224 with 1000 classes'],
    ['residual summary resnet50 --input-shape 32x32x3 --classes 10', 'for small images'],
    ['residual summary runs/first', 'a trained network'],
  ],
  run: async (positionals, values) => (await import('./summary-run.ts')).summary(positionals, values),
});
