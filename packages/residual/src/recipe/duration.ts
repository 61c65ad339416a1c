/** Lengths of time in a recipe: `3` (epochs), `10000 steps` or `5%` of the run.
 *  Their own file, for schedules, averages and resolutions all count by them. */

import { RecipeError } from './errors.ts';

/** A number of epochs, or text as `3 epochs`, `10000 steps`, `5%`. */
export type Duration = number | string;

/** What turns a duration into steps. */
export interface Clock {
  readonly epochs: number;
  readonly stepsPerEpoch: number;
}

const form = /^(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*(epochs?|steps?|%)$/;

/** Whether a text is a duration. */
export function isDuration(text: string): boolean {
  return form.test(text);
}

/**
 * A duration in whole steps of the run.
 *
 * @throws RecipeError for a text of another form
 */
export function stepsOf(duration: Duration, { epochs, stepsPerEpoch }: Clock): number {
  if (typeof duration === 'number') return Math.round(duration * stepsPerEpoch);
  const match = form.exec(duration);
  if (match === null) {
    throw new RecipeError(`a duration must be as 3 (epochs), 10000 steps or 5%, received '${duration}'`);
  }
  const [, digits = '', unit = ''] = match;
  const value = Number(digits);
  if (unit === '%') return Math.round((value / 100) * epochs * stepsPerEpoch);
  return Math.round(unit.startsWith('step') ? value : value * stepsPerEpoch);
}
