/** `residual cluster`: its options and its help. The work is in `cluster-run.ts`, and the training is `residual train`'s. */

import { defineCommand } from './command.ts';
import { fineTuningOptions } from './fine-tuning-options.ts';

export const clusterOptions = {
  clusters: {
    kind: 'integer',
    value: 'N',
    min: 2,
    max: 65_536,
    help: 'values that the weights of each layer share: 16 are 4 bits, 256 are 8',
    default: 16,
    group: 'Clustering',
  },
  init: {
    kind: 'choice',
    value: 'HOW',
    choices: ['linear', 'density', 'kmeans++'],
    help: 'where k-means begins: evenly, so that each value stands for as many weights, or drawn by distance',
    default: 'kmeans++',
    group: 'Clustering',
  },
  'keep-values': {
    kind: 'text',
    value: 'LAYER',
    many: true,
    help: 'a layer that keeps all its values, as conv1 or fc',
    default: 'none',
    group: 'Clustering',
  },
  ...fineTuningOptions,
  epochs: { ...fineTuningOptions.epochs, default: 3 },
} as const;

export const clusterCommand = defineCommand({
  name: 'cluster',
  summary: 'make the weights of each layer share a few values',
  arguments: 'RUN',
  takes: [1, 1],
  about:
    'Makes a new run out of RUN: k-means finds a few values for the weights of each layer, and the fine-tuning moves ' +
    'these values. The network is as large and as fast as before, but its files pack into a fraction. Zeros of a ' +
    'pruned run stay zero. Ends with a table: accuracy, size and packed size before and after.\n' +
    'Ctrl-C finishes the step and saves; residual train --resume goes on.',
  options: clusterOptions,
  examples: [
    ['residual cluster runs/first', '16 values for each layer'],
    ['residual cluster runs/first --clusters 256 --epochs 1', 'hardly a loss'],
    ['residual cluster runs/first-pruned --clusters 32 --keep-values fc', 'after pruning'],
  ],
  run: async (positionals, values) => (await import('./cluster-run.ts')).cluster(positionals, values),
});
