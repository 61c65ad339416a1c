/** `residual tune`: its options and its help. The work is in `tune-run.ts`. */

import { defineCommand } from './command.ts';
import { defaultData } from './defaults.ts';
import { jsonOption, machineOptions, quietOption } from './options.ts';

export const tuneOptions = {
  recipe: {
    kind: 'text',
    value: 'NAME|FILE',
    help: 'the recipe to better; its section search says what to try',
    default: `default; embedded for ${defaultData}`,
    group: 'Search',
  },
  space: {
    kind: 'text',
    value: 'KEY=VALUES',
    many: true,
    help: 'what to try: lr=1e-3..1:log, augment.randomCrop.padding=0..4:whole, training.batch=[64, 128]',
    default: "the recipe's search, or lr and weight-decay a factor of 10 about the recipe's",
    group: 'Search',
  },
  trials: { kind: 'integer', value: 'N', min: 1, max: 10_000, help: 'how many to begin', default: 16, group: 'Search' },
  minutes: {
    kind: 'number',
    value: 'N',
    min: 0,
    above: true,
    help: 'end after so much time, all sittings together',
    default: 'no limit',
    group: 'Search',
  },
  epochs: {
    kind: 'integer',
    value: 'N',
    min: 1,
    max: 100_000,
    help: 'of a trial that goes to the end',
    default: "the recipe's",
    group: 'Search',
  },
  'first-epochs': {
    kind: 'integer',
    value: 'N',
    min: 1,
    max: 100_000,
    help: 'after which the poor trials are left',
    default: 1,
    group: 'Search',
  },
  keep: {
    kind: 'integer',
    value: 'N',
    min: 2,
    max: 100,
    help: 'of N trials one goes on, for N times as long',
    default: 3,
    group: 'Search',
  },
  seed: { kind: 'integer', value: 'N', min: 0, help: 'of the choice of values', default: 1, group: 'Search' },
  set: {
    kind: 'text',
    value: 'KEY=VALUE',
    many: true,
    help: 'change a key of the recipe for all trials',
    group: 'Search',
  },
  out: {
    kind: 'text',
    value: 'FOLDER',
    help: 'where the search is put',
    default: 'runs/tune-data-date-time',
    group: 'Search',
  },
  resume: { kind: 'text', value: 'FOLDER', help: 'go on with an interrupted search', group: 'Search' },
  ...machineOptions,
  quiet: quietOption,
  json: jsonOption,
} as const;

export const tuneCommand = defineCommand({
  name: 'tune',
  summary: 'search for a better recipe',
  arguments: '[DATA]',
  takes: [0, 1],
  about:
    'Trains the recipe as it stands and variants of it with other values, and leaves poor ones early (successive ' +
    'halving). Chooses by the validation images; the test images are not looked at.\n' +
    'The folder gets best.yaml, the recipe to train by; tune.html, with plots; and journal.jsonl. Ctrl-C saves, and ' +
    'says how to go on.',
  options: tuneOptions,
  examples: [
    ['residual tune photos/', 'learning rate and weight decay, 16 trials'],
    ['residual tune photos/ --space lr=0.01..1:log --minutes 60', 'the learning rate, for an hour'],
    ['residual tune --resume runs/tune-photos', 'go on'],
  ],
  run: async (positionals, values) => (await import('./tune-run.ts')).tune(positionals, values),
});
