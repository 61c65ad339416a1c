/** Adam with decoupled weight decay, by the formulas of Keras's `AdamW`.
 *  TF.js has Adam without decay, and hands its step's numbers over as constants; here they are tensors. */

import * as tf from '@tensorflow/tfjs-core';
import { type OptimizerOptions, ScheduledOptimizer, type UpdateScalars } from './optimizer.ts';
import { checkValue } from './schedule.ts';
import { checkDecay, decaysByRule } from './sgd.ts';

export interface AdamWOptions extends Partial<OptimizerOptions> {
  /** β₁, the first moment's memory. Default 0.9. */
  readonly beta1?: number;
  /** β₂, the second moment's memory. Default 0.999. */
  readonly beta2?: number;
  /** Keras's "epsilon hat". Default 1e-7 (PyTorch has 1e-8 in another place). */
  readonly epsilon?: number;
  /** λ: w loses λ·lr·w at every step, whatever its gradient. Default 0.004. */
  readonly weightDecay?: number;
  /** What decays: `kernels` (no biases, no scales and offsets of BN) or `all`. Default `kernels`. */
  readonly decay?: 'all' | 'kernels';
  /** Names of further weights that do not decay, e.g. `['fc/*']`. Default none. */
  readonly exclude?: readonly string[];
}

/**
 * The update of Keras's `AdamW` (I. Loshchilov and F. Hutter, arXiv 1711.05101), with t from 1:
 *
 *     w ← w − λ·lr·w
 *     m ← m + (g − m)·(1 − β₁);   v ← v + (g² − v)·(1 − β₂)
 *     w ← w − lr·√(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε)
 */
export class AdamW extends ScheduledOptimizer {
  /** @nocollapse */
  static readonly className = 'ScheduledAdamW';

  protected override readonly slotNames = ['m', 'v'];
  private readonly options: Required<Omit<AdamWOptions, keyof OptimizerOptions>>;

  constructor(options: AdamWOptions = {}) {
    super('adamW', { ...options, learningRate: options.learningRate ?? 1e-3 });
    const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, weightDecay = 0.004 } = options;
    const { decay = 'kernels', exclude = [] } = options;
    this.options = { beta1, beta2, epsilon, weightDecay, decay, exclude };
    for (const [name, beta] of Object.entries({ beta1, beta2 })) {
      checkValue('adamW', beta >= 0 && beta < 1, `${name} must be at least 0 and less than 1`, beta);
    }
    checkValue('adamW', epsilon > 0, 'epsilon must be more than 0', epsilon);
    checkDecay('adamW', weightDecay, decay);
  }

  /** t counts a weight's own updates: the moments of one that was frozen until now begin at 0. */
  protected override readonly agesMatter = true;

  protected override numbers(age: number) {
    const { beta1, beta2, epsilon, weightDecay } = this.options;
    const t = age + 1;
    const correction = Math.sqrt(1 - beta2 ** t) / (1 - beta1 ** t);
    return { new1: 1 - beta1, new2: 1 - beta2, epsilon, correction, decay: weightDecay };
  }

  protected override update(variable: tf.Variable, gradient: tf.Tensor, scalars: UpdateScalars): void {
    const { rate, new1, new2, epsilon, correction, decay } = scalars as UpdateScalars &
      Record<'new1' | 'new2' | 'epsilon' | 'correction' | 'decay', tf.Scalar>;
    const [m, v] = [this.slot(variable, 'm'), this.slot(variable, 'v')];
    const nextM = tf.add(m, tf.mul(tf.sub(gradient, m), new1));
    const nextV = tf.add(v, tf.mul(tf.sub(tf.square(gradient), v), new2));
    const decays = this.options.weightDecay > 0 && decaysByRule(variable, this.options);
    const kept = decays ? tf.sub(variable, tf.mul(variable, tf.mul(decay, rate))) : variable;
    const move = tf.div(tf.mul(nextM, tf.mul(rate, correction)), tf.add(tf.sqrt(nextV), epsilon));
    m.assign(nextM);
    v.assign(nextV);
    variable.assign(tf.sub(kept, move));
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...this.options, exclude: [...this.options.exclude] };
  }
}

/**
 * Adam with decoupled weight decay; goes into `train` as into `model.compile`.
 *
 * @throws ModelError for impossible options
 * @example adamW({ learningRate: cosineDecay(1e-3, 10_000, { warmupSteps: 500 }), weightDecay: 0.05 })
 */
export function adamW(options: AdamWOptions = {}): AdamW {
  return new AdamW(options);
}

tf.serialization.registerClass(AdamW as unknown as tf.serialization.SerializableConstructor<AdamW>);
