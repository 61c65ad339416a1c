/** Second copies of a model's weights that move more slowly: an exponential moving average, and lookahead.
 *  Moving averages of BN are weights too, and are averaged with them, so that an averaged model fits its statistics. */

import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { ModelError } from '../models/errors.ts';
import type { NamedTensor } from './clip.ts';
import { checkValue } from './schedule.ts';

export interface EmaOptions {
  /** What the average keeps of itself at each step, 0 to less than 1. Default 0.999. */
  readonly decay?: number;
  /**
   * Let the decay grow as min(decay, (1 + t) / (10 + t)) over the updates t, as TensorFlow's `num_updates` does: the
   * first weights, which are noise, would otherwise stay in the average for long. Default true.
   */
  readonly warmup?: boolean;
}

export interface LookaheadOptions {
  /** Steps between two pulls. Default 5. */
  readonly every?: number;
  /** How far the slow weights go towards the fast ones, which then go on from there. Default 0.5. */
  readonly alpha?: number;
  /**
   * airbench's form: the pull is weak at first and grows with the cube of step / rampSteps. It uses
   * `{ every: 5, alpha: 1 - 0.95 ** 5, rampSteps: all }`. Default: full strength from the first pull.
   */
  readonly rampSteps?: number;
}

export interface AverageOptions {
  /** The decay, or more. Default: no average. */
  readonly ema?: number | EmaOptions;
  /** Default: none. */
  readonly lookahead?: boolean | LookaheadOptions;
}

/** Both options with nothing left open, as data. */
export interface AverageSettings {
  readonly ema?: Required<EmaOptions>;
  readonly lookahead?: { readonly every: number; readonly alpha: number; readonly rampSteps: number };
}

const STEPS = 'steps';

/**
 * Fills in the defaults.
 *
 * @param steps Of the whole run, where it is known: an average that would still be made of the first weights at its end
 *   is refused.
 * @throws ModelError for impossible values
 */
export function averageSettings({ ema, lookahead }: AverageOptions, steps?: number): AverageSettings {
  const settings: { -readonly [K in keyof AverageSettings]: AverageSettings[K] } = {};
  if (ema !== undefined) {
    const { decay = 0.999, warmup = true } = typeof ema === 'number' ? { decay: ema } : ema;
    checkValue('ema', decay >= 0 && decay < 1, 'decay must be at least 0 and less than 1', decay);
    const left = warmup || steps === undefined ? 0 : decay ** steps;
    if (left > 0.1) {
      throw new ModelError(
        `ema: with decay ${decay} and no warm-up, ${Math.round(100 * left)} % of the average would still be the first ` +
          `weights after ${steps} steps; lower the decay, or leave warmup on`,
      );
    }
    settings.ema = { decay, warmup };
  }
  if (lookahead !== undefined && lookahead !== false) {
    const { every = 5, alpha = 0.5, rampSteps = 0 } = lookahead === true ? {} : lookahead;
    checkValue('lookahead', Number.isInteger(every) && every > 0, 'every must be a whole number from 1 up', every);
    checkValue('lookahead', alpha > 0 && alpha <= 1, 'alpha must be more than 0 and at most 1', alpha);
    checkValue('lookahead', rampSteps >= 0 && Number.isFinite(rampSteps), 'rampSteps must be 0 or more', rampSteps);
    settings.lookahead = { every, alpha, rampSteps };
  }
  return settings;
}

/**
 * The slow copies of one model. The training step calls `follow` after each update, and `pull` where `pullIsDue`.
 *
 * With both, the moving average follows the weights as each update leaves them.
 */
export class Averages {
  private readonly settings: AverageSettings;
  private readonly weights: readonly { readonly name: string; readonly variable: tf.Variable }[];
  private readonly copies: Readonly<Partial<Record<'ema' | 'lookahead', readonly tf.Variable[]>>>;
  private steps = 0;
  private swapped = false;

  constructor(model: LayersModel, settings: AverageSettings) {
    this.settings = settings;
    // LayerVariable.read() gives the tf.Variable itself.
    this.weights = model.weights
      .map((weight) => ({ name: weight.originalName, variable: weight.read() as unknown as tf.Variable }))
      .filter(({ variable }) => variable.dtype === 'float32');
    const copy = () => this.weights.map(({ variable }) => tf.tidy(() => tf.variable(copyOf(variable), false)));
    this.copies = { ...(settings.ema ? { ema: copy() } : {}), ...(settings.lookahead ? { lookahead: copy() } : {}) };
  }

  /** After each update: moves the average. Inside `tf.tidy`. */
  follow(): void {
    if (this.swapped) throw new Error('internal: the averages are swapped in while training goes on');
    this.steps++;
    const { ema } = this.copies;
    if (ema) this.move(ema, 1 - this.emaDecay());
  }

  /** Whether the fast weights are to be pulled back now. */
  get pullIsDue(): boolean {
    const { lookahead } = this.settings;
    return lookahead !== undefined && this.steps % lookahead.every === 0;
  }

  /** M. Zhang et al., arXiv 1907.08610: slow ← slow + α·(fast − slow); fast ← slow. Inside `tf.tidy`. */
  pull(): void {
    const { lookahead } = this.copies;
    if (!lookahead) return;
    this.move(lookahead, this.pullRate());
    // Copies, not the same memory twice: a compiled step could no longer update the weights in place.
    this.weights.forEach(({ variable }, i) => {
      variable.assign(copyOf(lookahead[i] as tf.Variable));
    });
  }

  private move(copies: readonly tf.Variable[], rate: number): void {
    const factor = tf.scalar(rate);
    this.weights.forEach(({ variable }, i) => {
      const copy = copies[i] as tf.Variable;
      copy.assign(tf.add(copy, tf.mul(tf.sub(variable, copy), factor)));
    });
  }

  private emaDecay(): number {
    const { decay = 0, warmup = false } = this.settings.ema ?? {};
    return warmup ? Math.min(decay, (1 + this.steps) / (10 + this.steps)) : decay;
  }

  private pullRate(): number {
    const { alpha = 1, rampSteps = 0 } = this.settings.lookahead ?? {};
    return rampSteps === 0 ? alpha : 1 - (1 - alpha) * Math.min(1, this.steps / rampSteps) ** 3;
  }

  /** Exchanges the model's weights and the average's (or else lookahead's slow ones), bit for bit; twice is not at all. */
  swap(): void {
    const copies = this.copies.ema ?? this.copies.lookahead;
    if (!copies) return;
    this.swapped = !this.swapped;
    this.weights.forEach(({ variable }, i) => {
      const copy = copies[i] as tf.Variable;
      const weight = variable.clone();
      variable.assign(copy);
      copy.assign(weight);
      weight.dispose();
    });
  }

  /** Runs something with the averaged weights in the model, and puts the others back whatever happens. */
  async within<T>(work: () => Promise<T>): Promise<T> {
    this.swap();
    try {
      return await work();
    } finally {
      this.swap();
    }
  }

  /**
   * For `model.fit(…, { callbacks: averages.callback() })` of a plain TF.js model, which has the averaged weights when the
   * training ends.
   */
  callback(): { onBatchEnd(): Promise<void>; onTrainEnd(): Promise<void> } {
    return {
      onBatchEnd: async () => {
        tf.tidy(() => this.follow());
        await undefined; // the pull is a program of its own
        if (this.pullIsDue) tf.tidy(() => this.pull());
      },
      onTrainEnd: async () => this.swap(),
    };
  }

  /** All copies by name, and how many updates they saw; the last is made for the caller. */
  getWeights(): NamedTensor[] {
    const slots = Object.entries(this.copies).flatMap(([kind, copies]) =>
      copies.map((tensor, i) => ({ name: `${kind}/${this.weights[i]?.name}`, tensor })),
    );
    return [...slots, { name: STEPS, tensor: tf.scalar(this.steps, 'int32') }];
  }

  /**
   * Takes what `getWeights` gave; the tensors stay the caller's.
   *
   * @throws ModelError where a copy is missing: an average never begins again unnoticed
   */
  async setWeights(tensors: readonly NamedTensor[]): Promise<void> {
    const named = new Map(tensors.map(({ name, tensor }) => [name, tensor]));
    const find = (name: string) => {
      const tensor = named.get(name);
      if (!tensor) throw new ModelError(`averages: the state has no ${name}`);
      return tensor;
    };
    for (const [kind, copies] of Object.entries(this.copies)) {
      copies.forEach((copy, i) => {
        copy.assign(find(`${kind}/${this.weights[i]?.name}`));
      });
    }
    this.steps = (await find(STEPS).data())[0] ?? 0;
  }

  dispose(): void {
    for (const copy of Object.values(this.copies).flat()) copy.dispose();
  }
}

/**
 * Averages of a model's weights for `model.fit`; `train` has the options `ema` and `lookahead` instead.
 *
 * @throws ModelError for impossible options
 * @example
 * const averages = averageWeights(model, { ema: 0.999 });
 * await model.fit(x, y, { epochs, callbacks: averages.callback() });
 */
export function averageWeights(model: LayersModel, options: AverageOptions): Averages {
  return new Averages(model, averageSettings(options));
}

/** The same bits in memory of their own: x · 1, where a compiler cannot know that it is 1. */
function copyOf(tensor: tf.Tensor): tf.Tensor {
  return tf.mul(tensor, tf.scalar(1));
}
