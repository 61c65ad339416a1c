/** Learning rates as pure functions of the step, by the formulas of Keras (and of PyTorch for the one-cycle policy).
 *  Reference: keras/src/optimizers/schedules/learning_rate_schedule.py. */

import { checkRate, checkValue, type Schedule } from './schedule.ts';

/** The same learning rate at every step. */
export function constant(learningRate: number): Schedule {
  checkRate('constant', learningRate);
  return { name: 'constant', config: { learningRate }, at: () => learningRate };
}

export interface CosineDecayOptions {
  /** Fraction of `initial` that is left at the end. Default 0. */
  readonly alpha?: number;
  /** Steps in which the rate climbs in a line to `initial`; they come before the decay's steps. Default 0. */
  readonly warmupSteps?: number;
  /** Where the warm-up begins. Default 0. */
  readonly warmupFrom?: number;
}

/**
 * Cosine decay (I. Loshchilov and F. Hutter, arXiv 1608.03983, without restarts), by the formula of Keras's
 * `CosineDecay`: initial · ((1 − α) · ½ (1 + cos(π t / steps)) + α), and initial · α from `steps` on.
 *
 * @param initial The highest learning rate (Keras's `warmup_target` where there is a warm-up).
 * @param steps Steps of decay; `warmupSteps` come before them, not out of them.
 * @example sgd({ learningRate: cosineDecay(0.1, 10_000, { warmupSteps: 500 }) })
 */
export function cosineDecay(initial: number, steps: number, options: CosineDecayOptions = {}): Schedule {
  const { alpha = 0, warmupSteps = 0, warmupFrom = 0 } = options;
  checkRate('cosineDecay', initial);
  checkRate('cosineDecay', warmupFrom, 'warmupFrom');
  checkSteps('cosineDecay', steps);
  checkValue('cosineDecay', warmupSteps >= 0, 'warmupSteps must be 0 or more', warmupSteps);
  return {
    name: 'cosineDecay',
    config: { initial, steps, alpha, warmupSteps, ...(warmupFrom > 0 ? { warmupFrom } : {}) },
    at(step) {
      if (step < warmupSteps) return warmupFrom + ((initial - warmupFrom) * step) / warmupSteps;
      const done = Math.min(step - warmupSteps, steps) / steps;
      return initial * ((1 - alpha) * 0.5 * (1 + Math.cos(Math.PI * done)) + alpha);
    },
  };
}

export interface CosineDecayRestartsOptions {
  /** Each period is so many times longer than the one before, from 1 up. Default 2. */
  readonly tMul?: number;
  /** Each period begins at so many times the rate of the one before. Default 1. */
  readonly mMul?: number;
  /** Fraction of `initial` at a period's end. Default 0. */
  readonly alpha?: number;
}

/**
 * Cosine decay with warm restarts (arXiv 1608.03983), by Keras's `CosineDecayRestarts`.
 *
 * @param firstSteps Steps of the first period.
 */
export function cosineDecayRestarts(
  initial: number,
  firstSteps: number,
  options: CosineDecayRestartsOptions = {},
): Schedule {
  const { tMul = 2, mMul = 1, alpha = 0 } = options;
  checkRate('cosineDecayRestarts', initial);
  checkSteps('cosineDecayRestarts', firstSteps, 'firstSteps');
  checkValue('cosineDecayRestarts', tMul >= 1, 'tMul must be 1 or more', tMul);
  checkRate('cosineDecayRestarts', mMul, 'mMul');
  return {
    name: 'cosineDecayRestarts',
    config: { initial, firstSteps, tMul, mMul, alpha },
    at(step) {
      let [rest, period, restarts] = [step, firstSteps, 0];
      if (tMul === 1) {
        restarts = Math.floor(step / firstSteps);
        rest -= restarts * firstSteps;
      }
      // Period by period, as the logarithm of Keras's closed form may fall on the wrong side of a boundary.
      for (; rest >= period; restarts++) {
        rest -= period;
        period *= tMul;
      }
      const cosine = 0.5 * mMul ** restarts * (1 + Math.cos((Math.PI * rest) / period));
      return initial * ((1 - alpha) * cosine + alpha);
    },
  };
}

/**
 * Steps down (or up) at given moments, by Keras's `PiecewiseConstantDecay`: `values[0]` up to and including step
 * `boundaries[0]`, then `values[1]`, and so on.
 *
 * @param boundaries Rising steps.
 * @param values One more than boundaries.
 * @example piecewiseConstant([15_000, 30_000], [0.1, 0.01, 0.001])
 */
export function piecewiseConstant(boundaries: readonly number[], values: readonly number[]): Schedule {
  const name = 'piecewiseConstant';
  for (const value of values) checkRate(name, value);
  const rising = boundaries.every((boundary, i) => i === 0 || boundary > (boundaries[i - 1] ?? 0));
  checkValue(name, rising && !boundaries.some(Number.isNaN), 'boundaries must rise', boundaries);
  const fits = values.length === boundaries.length + 1;
  checkValue(name, fits, `values must be one more than the ${boundaries.length} boundaries`, values);
  return {
    name,
    config: { boundaries, values },
    at(step) {
      const next = boundaries.findIndex((boundary) => step <= boundary);
      return values.at(next) ?? 0; // −1, none ahead, is the last value
    },
  };
}

/**
 * initial · rate^(step / steps), by Keras's `ExponentialDecay`.
 *
 * @param steps In which the learning rate falls to `rate` times what it was.
 * @param options.staircase Whole quotients only: it falls at every `steps`-th step. Default false.
 */
export function exponentialDecay(
  initial: number,
  steps: number,
  rate: number,
  options: { readonly staircase?: boolean } = {},
): Schedule {
  const { staircase = false } = options;
  checkRate('exponentialDecay', initial);
  checkSteps('exponentialDecay', steps);
  checkValue('exponentialDecay', rate > 0 && Number.isFinite(rate), 'rate must be more than 0', rate);
  return {
    name: 'exponentialDecay',
    config: { initial, steps, rate, staircase },
    at: (step) => initial * rate ** (staircase ? Math.floor(step / steps) : step / steps),
  };
}

export interface PolynomialDecayOptions {
  /** The learning rate at the end. Default 0.0001. */
  readonly end?: number;
  /** 1 is a line. Default 1. */
  readonly power?: number;
  /** Begin again at `initial` with a longer period where the decay has ended. Default false. */
  readonly cycle?: boolean;
}

/** (initial − end) · (1 − step / steps)^power + end, by Keras's `PolynomialDecay`. */
export function polynomialDecay(initial: number, steps: number, options: PolynomialDecayOptions = {}): Schedule {
  const { end = 0.0001, power = 1, cycle = false } = options;
  checkRate('polynomialDecay', initial);
  checkRate('polynomialDecay', end, 'end');
  checkSteps('polynomialDecay', steps);
  checkValue('polynomialDecay', power > 0, 'power must be more than 0', power);
  return {
    name: 'polynomialDecay',
    config: { initial, steps, end, power, cycle },
    at(step) {
      const period = cycle ? steps * Math.max(1, Math.ceil(step / steps)) : steps;
      return (initial - end) * (1 - Math.min(step, period) / period) ** power + end;
    },
  };
}

export interface OneCycleOptions {
  /** Fraction of the steps in which the rate rises. Default 0.3. */
  readonly rise?: number;
  /** The rate begins at highest / divide. Default 25. */
  readonly divide?: number;
  /** The rate ends at its beginning / finalDivide. Default 10,000. */
  readonly finalDivide?: number;
  /** The form of both ramps. Default `cosine`. */
  readonly ramp?: 'cosine' | 'linear';
}

/**
 * The one-cycle policy (L. Smith and N. Topin, arXiv 1708.07120), by the formula and the defaults of PyTorch's
 * `OneCycleLR` with two phases: up to `highest`, then down far below the beginning.
 *
 * @param highest The highest learning rate.
 * @param steps Of the whole run.
 */
export function oneCycle(highest: number, steps: number, options: OneCycleOptions = {}): Schedule {
  const { rise = 0.3, divide = 25, finalDivide = 1e4, ramp = 'cosine' } = options;
  checkRate('oneCycle', highest);
  checkSteps('oneCycle', steps);
  checkValue('oneCycle', rise >= 0 && rise <= 1, 'rise must be from 0 to 1', rise);
  checkValue('oneCycle', divide > 0, 'divide must be more than 0', divide);
  checkValue('oneCycle', finalDivide > 0, 'finalDivide must be more than 0', finalDivide);
  checkValue('oneCycle', ramp === 'cosine' || ramp === 'linear', `ramp must be 'cosine' or 'linear'`, ramp);
  const [first, last] = [highest / divide, highest / divide / finalDivide];
  const [top, bottom] = [rise * steps - 1, steps - 1];
  const between = (from: number, to: number, done: number) =>
    ramp === 'linear' ? from + (to - from) * done : to + ((from - to) / 2) * (1 + Math.cos(Math.PI * done));
  return {
    name: 'oneCycle',
    config: { highest, steps, rise, divide, finalDivide, ramp },
    at(step) {
      if (step >= bottom) return last;
      if (step <= top) return between(first, highest, step / top);
      return between(highest, last, (step - top) / (bottom - top));
    },
  };
}

/** From `low` at step 0 to `high` at the last of `steps`, each step by the same factor: for the range test. */
export function exponentialRange(low: number, high: number, steps: number): Schedule {
  checkValue('exponentialRange', low > 0 && Number.isFinite(low), 'low must be more than 0', low);
  checkValue('exponentialRange', high > low && Number.isFinite(high), 'high must be more than low', high);
  checkValue('exponentialRange', Number.isInteger(steps) && steps > 1, 'steps must be a whole number from 2 up', steps);
  return {
    name: 'exponentialRange',
    config: { low, high, steps },
    at: (step) => low * (high / low) ** (Math.min(step, steps - 1) / (steps - 1)),
  };
}

/** A schedule from a number, or as it is. */
export function toSchedule(learningRate: number | Schedule): Schedule {
  return typeof learningRate === 'number' ? constant(learningRate) : learningRate;
}

function checkSteps(name: string, steps: number, what = 'steps'): void {
  checkValue(name, steps > 0 && Number.isFinite(steps), `${what} must be more than 0`, steps);
}
