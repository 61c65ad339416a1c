/** `residual evaluate`: its options and its help. The work is in `evaluate-run.ts`. */

import { defineCommand } from './command.ts';
import { jsonOption, machineOptions, quietOption } from './options.ts';

export const evaluateOptions = {
  data: {
    kind: 'text',
    value: 'DATA',
    help: 'other images than the run was trained on: whatever train takes',
    default: 'the data of the run',
  },
  split: {
    kind: 'choice',
    value: 'PART',
    choices: ['test', 'validation', 'train'],
    help: 'which images',
    default: 'test; validation where there are no test images',
  },
  batch: {
    kind: 'integer',
    value: 'N',
    min: 1,
    max: 65_536,
    help: 'images at a time; the result does not depend on it',
    default: 64,
  },
  calibrate: {
    kind: 'flag',
    help: 'do not fit a temperature on the validation images',
    default: true,
  },
  knn: {
    kind: 'integer',
    value: 'K',
    min: 1,
    max: 100_000,
    help: 'how good the features are: call each image what its K nearest training images are; any classes',
  },
  probe: {
    kind: 'flag',
    help: 'how good the features are: fit a linear classifier on the training images; any classes',
  },
  report: {
    kind: 'text',
    value: 'FILE',
    help: 'where the page goes',
    default: "report.html in the run's folder, if it is the test",
  },
  ...machineOptions,
  quiet: quietOption,
  json: jsonOption,
} as const;

export const evaluateCommand = defineCommand({
  name: 'evaluate',
  summary: 'measure a trained network on images with known classes',
  arguments: 'RUN',
  takes: [1, 1],
  about:
    'Prints accuracy, loss, calibration, and precision, recall, F1 and ROC AUC of each class, with the most frequent ' +
    "confusions, and writes a report. RUN is a run's folder, its name under runs/, or any folder with a saved model.",
  options: evaluateOptions,
  examples: [
    ['residual evaluate runs/first', 'on the test images of its data'],
    ['residual evaluate runs/first --split validation', 'on the images that were held out'],
    ['residual evaluate runs/first --data photos/ --split train', 'on all the images of another folder'],
    ['residual evaluate runs/first --data photos/ --knn 20 --probe', 'its features on other classes'],
    ['residual evaluate runs/first --json > scores.json', 'for machines'],
  ],
  run: async (positionals, values) => (await import('./evaluate-run.ts')).evaluate(positionals, values),
});
