/** `residual recipes`: its options and its help. The work is in `recipes-run.ts`. */

import { defineCommand } from './command.ts';
import { jsonOption } from './options.ts';

export const recipesOptions = {
  full: { kind: 'flag', help: 'with show: every key, the defaults filled in' },
  set: { kind: 'text', value: 'KEY=VALUE', many: true, help: 'with show: change a key first' },
  json: jsonOption,
} as const;

export const recipesCommand = defineCommand({
  name: 'recipes',
  summary: 'list the recipes for training, and show one',
  arguments: '[show NAME|FILE] [keys]',
  takes: [0, 2],
  about:
    'A recipe is a readable file that says how to train: augmentation, loss, optimizer, schedule, length.\n' +
    'Without arguments, lists those that come with residual. show prints one; keys lists every key that a recipe may ' +
    'have, with its range and its default.\n' +
    'residual recipes show NAME > mine.yaml begins your own; residual train DATA --recipe mine.yaml trains by it.',
  options: recipesOptions,
  examples: [
    ['residual recipes', 'what there is'],
    ['residual recipes show cifar-strong', 'one, as it is written'],
    ['residual recipes keys', 'all that a recipe may say'],
  ],
  run: async (positionals, values) => (await import('./recipes-run.ts')).recipes(positionals, values),
});
