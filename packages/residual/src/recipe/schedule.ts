/** The section `schedule`: what it may say, and the learning rate's way through the run.
 *  Durations become steps here, when the length of the run is known. */

import { z } from 'zod';
import { reduceOnPlateau } from '../train/plateau.ts';
import type { Schedule } from '../train/schedule.ts';
import {
  constant,
  cosineDecay,
  cosineDecayRestarts,
  exponentialDecay,
  oneCycle,
  piecewiseConstant,
  polynomialDecay,
} from '../train/schedules.ts';
import { type Clock, type Duration, stepsOf } from './duration.ts';
import { choice, duration, flag, named, number, whole } from './kinds.ts';

const part = { min: 0, max: 1 } as const;
const positive = { min: 0, above: true } as const;

const over = duration('how long the fall lasts; default all of the run').exactOptional();

export const scheduleSection = z.discriminatedUnion('name', [
  z.strictObject({ name: named('constant') }),
  z.strictObject({
    name: named('cosine'),
    warmup: duration('in which the learning rate climbs to its highest').default(0),
    warmupFrom: number('part of the highest learning rate at which the warm-up begins', part).default(0),
    over: duration('how long the fall lasts; default all of the run after the warm-up').exactOptional(),
    alpha: number('part of the learning rate that is left at the end', part).default(0),
  }),
  z.strictObject({
    name: named('cosineRestarts'),
    first: duration('the first period').default('25%'),
    tMul: number('each period is so many times longer than the one before', { min: 1 }).default(2),
    mMul: number('each period begins at so many times the rate of the one before', positive).default(1),
    alpha: number("part of the learning rate at a period's end", part).default(0),
  }),
  z.strictObject({
    name: named('steps'),
    at: z.array(duration('')).min(1).meta({ rule: 'a list of durations, as [30, 60]', help: 'when the rate falls' }),
    factor: number('to so much of itself', positive).default(0.1),
  }),
  z.strictObject({
    name: named('exponential'),
    every: duration('in which the rate falls to `rate` times itself').default(1),
    rate: number('see every', positive).default(0.95),
    staircase: flag('fall at once, at the end of each period').default(false),
  }),
  z.strictObject({
    name: named('polynomial'),
    over,
    end: number('part of the learning rate that is left at the end', part).default(0),
    power: number('1 is a line', positive).default(1),
  }),
  z.strictObject({
    name: named('oneCycle'),
    rise: number('part of the run in which the rate rises', part).default(0.3),
    divide: number('it begins at highest / divide', positive).default(25),
    finalDivide: number('it ends at its beginning / finalDivide', positive).default(10_000),
    ramp: choice('the form of both ramps', ['cosine', 'linear']).default('cosine'),
  }),
  z.strictObject({
    name: named('reduceOnPlateau'),
    monitor: choice('what should get better', ['validationLoss', 'validationAccuracy', 'loss', 'accuracy']).default(
      'validationLoss',
    ),
    factor: number('the rate falls to so much of itself', { min: 0, max: 1, below: true }).default(0.1),
    patience: whole('epochs without an improvement before it falls', { min: 0 }).default(10),
    minDelta: number('what counts as an improvement', { min: 0 }).default(1e-4),
    cooldown: whole('epochs after a fall in which nothing is counted', { min: 0 }).default(0),
    minRate: number('it never falls below this', { min: 0 }).default(0),
  }),
]);

export type ScheduleSection = z.output<typeof scheduleSection>;

/** The schedule with `highest` as its highest rate, in a run of this length. */
export function scheduleOf(section: ScheduleSection, highest: number, clock: Clock): Schedule {
  const total = clock.epochs * clock.stepsPerEpoch;
  const steps = (value: Duration | undefined, fallback = total) =>
    Math.max(1, value === undefined ? fallback : stepsOf(value, clock));
  switch (section.name) {
    case 'constant':
      return constant(highest);
    case 'cosine': {
      const { warmup, warmupFrom, alpha } = section;
      const warmupSteps = Math.min(stepsOf(warmup, clock), total - 1);
      const options = { warmupSteps, warmupFrom: warmupFrom * highest, alpha };
      return cosineDecay(highest, steps(section.over, total - warmupSteps), options);
    }
    case 'cosineRestarts': {
      const { first, tMul, mMul, alpha } = section;
      return cosineDecayRestarts(highest, steps(first), { tMul, mMul, alpha });
    }
    case 'steps': {
      // The boundary's own step still has the rate before it.
      const boundaries = section.at.map((when) => stepsOf(when, clock) - 1);
      return piecewiseConstant(
        boundaries,
        [1, ...boundaries].map((_, i) => highest * section.factor ** i),
      );
    }
    case 'exponential':
      return exponentialDecay(highest, steps(section.every), section.rate, { staircase: section.staircase });
    case 'polynomial':
      return polynomialDecay(highest, steps(section.over), { end: section.end * highest, power: section.power });
    case 'oneCycle': {
      const { rise, divide, finalDivide, ramp } = section;
      return oneCycle(highest, total, { rise, divide, finalDivide, ramp });
    }
    case 'reduceOnPlateau': {
      const { name: _, ...options } = section;
      return reduceOnPlateau(highest, options);
    }
    default:
      return section satisfies never;
  }
}
