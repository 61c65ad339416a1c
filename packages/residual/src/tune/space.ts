/** What a search may change: keys of a recipe, and the values that each may take.
 *  Written as `1e-4..1 log`, `0..8 whole` or as a list of choices. */

import { plain } from '../evaluate/report-format.ts';
import { RecipeError } from '../recipe/errors.ts';
import type { Plain } from '../recipe/layers.ts';

export type Dimension = RangeDimension | ChoiceDimension;

export interface RangeDimension {
  /** A recipe's key, e.g. `optimizer.learningRate`. */
  readonly key: string;
  readonly kind: 'range';
  readonly low: number;
  readonly high: number;
  /** `log`: each factor is as likely as any other. */
  readonly scale: 'linear' | 'log';
  readonly whole: boolean;
}

export interface ChoiceDimension {
  readonly key: string;
  readonly kind: 'choice';
  readonly values: readonly Plain[];
}

/** Short names for the keys that one tunes most, as the options of `residual train` are called. */
const shortNames: Readonly<Record<string, string>> = {
  lr: 'optimizer.learningRate',
  momentum: 'optimizer.momentum',
  'weight-decay': 'optimizer.weightDecay',
  'label-smoothing': 'loss.labelSmoothing',
  warmup: 'schedule.warmup',
  batch: 'training.batch',
  'crop-padding': 'augment.randomCrop.padding',
};

const rangeForm = /^\s*([-+.\deE]+)\s*\.\.\s*([-+.\deE]+)((?:[\s:]+(?:log|linear|whole|int))*)\s*$/;

/**
 * One dimension from a key and its values.
 *
 * @param values `1e-4..1 log`, `0..8 whole`, or a list
 * @throws RecipeError for another form, or a range that is none
 */
export function dimensionOf(key: string, values: unknown): Dimension {
  const full = shortNames[key] ?? key;
  if (full.startsWith('data.')) {
    throw new RecipeError(`a search cannot change ${full}: all its trials share the data`);
  }
  if (Array.isArray(values) && values.length > 0) return { key: full, kind: 'choice', values: values as Plain[] };
  const match = typeof values === 'string' ? rangeForm.exec(values) : null;
  const [low, high] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || !Number.isFinite(low) || !Number.isFinite(high)) {
    throw new RecipeError(
      `the search of ${full} must be a range as 1e-4..1 log or 0..8 whole, or a list as [1, 2], received ${JSON.stringify(values)}`,
    );
  }
  const words = (match[3] ?? '').split(/[\s:]+/);
  const scale = words.includes('log') ? 'log' : 'linear';
  const whole = words.includes('whole') || words.includes('int');
  if (!(low < high))
    throw new RecipeError(`the search of ${full} must rise from low to high, received ${low}..${high}`);
  if (scale === 'log' && low <= 0) {
    throw new RecipeError(`the search of ${full} on a log scale must begin above 0, received ${low}`);
  }
  if (whole && !(Number.isInteger(low) && Number.isInteger(high))) {
    throw new RecipeError(`the search of ${full} must have whole ends, received ${low}..${high}`);
  }
  return { key: full, kind: 'range', low, high, scale, whole };
}

/**
 * One dimension from the command line, `lr=1e-3..1:log` or `optimizer.nesterov=[true, false]`.
 *
 * @throws RecipeError for another form
 */
export function parseDimension(text: string): Dimension {
  const at = text.indexOf('=');
  if (at < 1) throw new RecipeError(`--space needs a key and values, as lr=1e-3..1:log, received '${text}'`);
  const [key, values] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  if (!values.startsWith('[')) return dimensionOf(key, values);
  try {
    return dimensionOf(key, JSON.parse(values));
  } catch (error) {
    if (error instanceof RecipeError) throw error;
    // Words without quotes.
    const words = values.replace(/^\[|\]$/g, '').split(',');
    return dimensionOf(
      key,
      words.map((word) => plainWord(word.trim())),
    );
  }
}

function plainWord(word: string): Plain {
  if (word === 'true' || word === 'false') return word === 'true';
  return word !== '' && Number.isFinite(Number(word)) ? Number(word) : word;
}

/** The value at a place of the dimension, from 0 to less than 1; a number of as few digits as the search needs. */
export function valueAt(dimension: Dimension, place: number): Plain {
  if (dimension.kind === 'choice') {
    return dimension.values[Math.min(dimension.values.length - 1, Math.floor(place * dimension.values.length))] ?? null;
  }
  const { low, high, scale, whole } = dimension;
  if (whole) {
    const value =
      scale === 'log' ? Math.exp(between(Math.log(low), Math.log(high + 1), place)) : between(low, high + 1, place);
    return Math.min(high, Math.floor(value));
  }
  const value = scale === 'log' ? Math.exp(between(Math.log(low), Math.log(high), place)) : between(low, high, place);
  return Number(value.toPrecision(4));
}

/** Where a value lies on its dimension, from 0 to 1, beyond them or nowhere; for drawings. */
export function placeOf(dimension: Dimension, value: Plain): number {
  if (dimension.kind === 'choice') {
    const index = dimension.values.findIndex((one) => JSON.stringify(one) === JSON.stringify(value));
    return index < 0 ? Number.NaN : (index + 0.5) / dimension.values.length;
  }
  const { low, high, scale } = dimension;
  const number = Number(value);
  return scale === 'log' ? Math.log(number / low) / Math.log(high / low) : (number - low) / (high - low);
}

/** A value of the space for people. */
export function valueText(value: Plain | undefined): string {
  if (value === undefined) return '–';
  return typeof value === 'number' ? plain(value) : typeof value === 'string' ? value : JSON.stringify(value);
}

function between(low: number, high: number, place: number): number {
  return low + (high - low) * place;
}
