/** The options of the fine-tuning in `residual prune` and `cluster`: some of `residual train`'s, with other defaults.
 *  Apart from the work, so that help and mistakes answer at once. */

import { jsonOption, machineOptions, quietOption } from './options.ts';
import { trainOptions } from './train.ts';

const { batch, lr, set, name, runs, csv, tensorboard } = trainOptions;

/** Of the fine-tuning; the seed is the run's, for it also says which images are held out. */
export const fineTuningOptions = {
  epochs: { ...trainOptions.epochs, default: 5 },
  batch: { ...batch, default: "the run's" },
  lr: { ...lr, default: "a fifth of the run's" },
  set: { ...set, group: 'Training' },
  data: { ...trainOptions.data, help: 'other images than those of the run', default: "the run's", group: 'Training' },
  name: { ...name, default: 'the run-what-date-time' },
  runs,
  'checkpoint-every': trainOptions['checkpoint-every'],
  csv,
  tensorboard,
  ...machineOptions,
  quiet: quietOption,
  json: jsonOption,
} as const;
