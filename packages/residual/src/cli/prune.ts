/** `residual prune`: its options and its help. The work is in `prune-run.ts`, and the training is `residual train`'s. */

import { defineCommand } from './command.ts';
import { fineTuningOptions } from './fine-tuning-options.ts';

export const pruneOptions = {
  sparsity: {
    kind: 'text',
    value: 'PART',
    help: 'how much goes, as 50% or 0.5: of the multiply-adds with channels, of the weights else; 2:4 is always 50%',
    default: '50%',
    group: 'Pruning',
  },
  structure: {
    kind: 'choice',
    value: 'WHAT',
    choices: ['channels', 'unstructured', '2:4'],
    help: 'whole channels (a smaller network), any weights, or two of each four along the input channels',
    default: 'channels',
    group: 'Pruning',
  },
  importance: {
    kind: 'choice',
    value: 'HOW',
    choices: ['taylor', 'magnitude'],
    help: 'of channels: what the loss loses with them, or the norm of their folded filters',
    default: 'taylor',
    group: 'Pruning',
  },
  multiple: {
    kind: 'integer',
    value: 'N',
    min: 1,
    max: 1024,
    help: 'channels that stay are a multiple of N, for kernels compute so many at once',
    default: '16; 8 where there are fewer than 64',
    group: 'Pruning',
  },
  images: {
    kind: 'integer',
    value: 'N',
    min: 1,
    help: 'training images that taylor looks at',
    default: 512,
    group: 'Pruning',
  },
  'keep-dense': {
    kind: 'text',
    value: 'LAYER',
    many: true,
    help: 'a layer whose weights all stay, as fc or layer4.*; not with channels',
    default: 'none',
    group: 'Pruning',
  },
  ...fineTuningOptions,
} as const;

export const pruneCommand = defineCommand({
  name: 'prune',
  summary: 'make a trained network smaller, and fine-tune it',
  arguments: 'RUN',
  takes: [1, 1],
  about:
    'Makes a new run out of RUN: takes away what matters least, and fine-tunes the rest on the images of RUN, in its ' +
    'way, at a fifth of its rate. Ends with a table: parameters, multiply-adds, accuracy and size before and after.\n' +
    'Whole channels make a smaller network, which is faster everywhere; the channels of layers that are added up go ' +
    'together. Zeros among the weights (unstructured, 2:4) make the packed file smaller, and faster only where a ' +
    'runtime makes use of them: they come while the training goes on, more and more slowly, and stay.\n' +
    'Ctrl-C finishes the step and saves; residual train --resume goes on.',
  options: pruneOptions,
  examples: [
    ['residual prune runs/first', 'half of the multiply-adds'],
    ['residual prune runs/first --sparsity 70% --epochs 12', 'a smaller one'],
    ['residual prune runs/first --structure unstructured --sparsity 80%', 'four of five weights are 0'],
    ['residual prune runs/first --structure 2:4', 'for sparse tensor cores'],
  ],
  run: async (positionals, values) => (await import('./prune-run.ts')).prune(positionals, values),
});
