/** `residual doctor`: its options and its help. The work is in `doctor-run.ts` (data) and `doctor-labels.ts` (runs). */

import { defineCommand } from './command.ts';
import { jsonOption, machineOptions, quietOption } from './options.ts';

const labels = 'Labels of a run';

export const doctorOptions = {
  out: {
    kind: 'text',
    value: 'FOLDER',
    help: 'where the page and the lists go',
    default: "doctor/NAME; doctor/ in a run's folder",
  },
  strict: {
    kind: 'flag',
    help: 'end with 1 where there are problems (of a run: where over 1 % of labels are suspects)',
  },
  validation: {
    kind: 'number',
    value: 'F',
    min: 0,
    max: 1,
    below: true,
    help: 'hold out as train would, to look for leakage',
    default: "as train's",
  },
  seed: { kind: 'integer', value: 'N', min: 0, help: 'of the split and of the folds', default: 1 },
  workers: {
    kind: 'integer',
    value: 'N',
    min: 1,
    max: 64,
    help: 'threads that decode',
    default: 'all cores, at most 8',
  },
  folds: {
    kind: 'integer',
    value: 'N',
    min: 2,
    max: 100,
    help: 'parts of the cross-validation',
    default: 4,
    group: labels,
  },
  repeats: {
    kind: 'integer',
    value: 'N',
    min: 1,
    max: 20,
    help: 'cross-validations that are averaged: slower, surer',
    default: 1,
    group: labels,
  },
  epochs: { kind: 'integer', value: 'N', min: 1, max: 1000, help: 'of each fold', default: 4, group: labels },
  width: {
    kind: 'integer',
    value: 'N',
    min: 1,
    max: 4096,
    help: "filters of the folds' first stage",
    default: 16,
    group: labels,
  },
  'held-out': {
    kind: 'flag',
    help: "train nothing: ask the run's own model about its validation and test images only",
    group: labels,
  },
  pictures: {
    kind: 'integer',
    value: 'N',
    min: 0,
    max: 10_000,
    help: 'suspects on the page',
    default: 240,
    group: labels,
  },
  ...machineOptions,
  quiet: quietOption,
  json: jsonOption,
} as const;

export const doctorCommand = defineCommand({
  name: 'doctor',
  summary: 'look for bad images before training, wrong labels after',
  arguments: 'DATA|RUN',
  takes: [1, 1],
  about:
    'DATA, anything that train takes: looks for damaged and misnamed files, copies within and across classes and parts, ' +
    'blank, tiny and odd pictures, grey among colour, and imbalance.\n' +
    "RUN, a run's folder or its name under runs/: finds the labels that are probably wrong, by confident learning on " +
    'the predictions of small networks that did not see them (cross-validation), and writes suspects.csv, which ' +
    'train can leave out.\n' +
    'Both write a page with pictures, doctor.html, and doctor.json.',
  options: doctorOptions,
  examples: [
    ['residual doctor photos/', 'before training'],
    ['residual doctor photos/ --strict', 'in a script: ends with 1 where there are problems'],
    ['residual doctor runs/first', 'wrong labels, in minutes'],
    ['residual doctor runs/first --held-out', "wrong labels of the held-out images, by the run's own model"],
    ['residual doctor runs/first --repeats 3', 'slower, surer'],
  ],
  run: async (positionals, values) => (await import('./doctor-run.ts')).doctor(positionals, values),
});
