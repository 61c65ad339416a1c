/** The short options of `residual train` as changes of a recipe: `--lr 0.05` is `--set optimizer.learningRate=0.05`.
 *  One table, so that every option says which key it is. */

import { type Override, parseOverride } from '../recipe/overrides.ts';
import { UsageError, type Values } from './command.ts';
import type { trainOptions } from './train.ts';

type TrainValues = Values<typeof trainOptions>;

/** Options that are keys of a recipe. */
const keys = {
  channels: 'data.channels',
  resize: 'data.resize',
  validation: 'data.validation',
  test: 'data.test',
  model: 'model.name',
  stem: 'model.stem',
  width: 'model.width',
  convention: 'model.convention',
  epochs: 'training.epochs',
  batch: 'training.batch',
  lr: 'optimizer.learningRate',
  momentum: 'optimizer.momentum',
  nesterov: 'optimizer.nesterov',
  'weight-decay': 'optimizer.weightDecay',
  'label-smoothing': 'loss.labelSmoothing',
  warmup: 'schedule.warmup',
  seed: 'training.seed',
  'micro-batch': 'training.microBatch',
  ema: 'ema.decay',
  'early-stopping': 'training.earlyStopping',
  weights: 'model.weights',
} as const satisfies Partial<Record<keyof TrainValues, string>>;

/** Every change that the command line asks for: the short options, then each `--set` in its order. */
export function overridesOf(values: TrainValues): Override[] {
  const short = Object.entries(keys).flatMap(([option, key]): Override[] => {
    const value = values[option as keyof typeof keys];
    if (value === undefined) return [];
    return [{ key, value: option === 'channels' ? Number(value) : value, origin: `--${option}` }];
  });
  const { size, flip, momentum, nesterov } = values;
  const padding = values['crop-padding'];
  if (size !== undefined) short.push({ key: 'data.size', value: parseSize(size), origin: '--size' });
  // Nesterov's variant of no momentum is none.
  if (momentum === 0 && nesterov === undefined) {
    short.push({ key: 'optimizer.nesterov', value: false, origin: '--momentum' });
  }
  if (padding !== undefined) {
    const crop = { origin: '--crop-padding', missing: padding === 0 ? 'ignore' : 'add' } as const;
    short.push(
      padding === 0
        ? { key: 'augment.randomCrop', value: null, ...crop }
        : { key: 'augment.randomCrop.padding', value: padding, ...crop },
    );
  }
  if (flip === true) {
    short.push({ key: 'augment.randomFlip', value: 'randomFlip', origin: '--flip', missing: 'add' });
  } else if (flip === false) {
    short.push({ key: 'augment.randomFlip', value: null, origin: '--no-flip', missing: 'ignore' });
  }
  return [...short, ...(values.set ?? []).map(parseOverride)];
}

/** `224` or `120x160`: height, then width. */
export function parseSize(text: string): readonly [height: number, width: number] {
  const match = /^(\d+)(?:[x×](\d+))?$/.exec(text);
  const height = Number(match?.[1]);
  const width = Number(match?.[2] ?? match?.[1]);
  if (match === null || height < 1 || width < 1 || Math.max(height, width) > 16_384) {
    throw new UsageError(`--size must be pixels, as 224 or 120x160 (height x width), received '${text}'`);
  }
  return [height, width];
}
