/** Stochastic gradient descent with momentum, Nesterov's variant, weight decay and schedules, as a tf.Optimizer.
 *  TF.js has momentum only, with a fixed learning rate; this one also saves and restores its state bit for bit. */

import * as tf from '@tensorflow/tfjs-core';
import { type OptimizerOptions, ScheduledOptimizer, type UpdateScalars } from './optimizer.ts';
import { checkValue } from './schedule.ts';
import { matchesAny } from './weight-names.ts';

export interface SgdOptions extends OptimizerOptions {
  /** m, from 0 (none) to less than 1. Default 0. */
  readonly momentum?: number;
  /** Y. Nesterov's momentum, as Keras and PyTorch write it. Default false. */
  readonly nesterov?: boolean;
  /** λ of PyTorch: λ·w is added to the gradient of w (Keras's `l2(λ / 2)`). Default 0. */
  readonly weightDecay?: number;
  /** What decays: `all`, as in PyTorch, or `kernels` only (no biases, no scales and offsets of BN). Default `all`. */
  readonly decay?: 'all' | 'kernels';
  /** Names of weights that do not decay, e.g. `['fc/*']`. Default none. */
  readonly exclude?: readonly string[];
}

/**
 * The update of Keras's `SGD`, with g ← g + λ·w first:
 *
 *     v ← m·v − lr·g;   w ← w + v, or w ← w + m·v − lr·g with Nesterov
 *
 * The learning rate is inside v, so a change of it acts on new gradients only (PyTorch scales the whole velocity).
 */
export class SGD extends ScheduledOptimizer {
  /** @nocollapse */
  static readonly className = 'ScheduledSGD';

  protected override readonly slotNames = ['momentum'];
  private readonly options: Required<Omit<SgdOptions, keyof OptimizerOptions>>;

  constructor(options: SgdOptions) {
    super('sgd', options);
    const { momentum = 0, nesterov = false, weightDecay = 0, decay = 'all', exclude = [] } = options;
    this.options = { momentum, nesterov, weightDecay, decay, exclude };
    checkValue('sgd', momentum >= 0 && momentum < 1, 'momentum must be at least 0 and less than 1', momentum);
    checkDecay('sgd', weightDecay, decay);
    checkValue('sgd', !nesterov || momentum > 0, 'nesterov needs a momentum above 0', momentum);
  }

  protected override numbers() {
    return { momentum: this.options.momentum, decay: this.options.weightDecay };
  }

  protected override update(variable: tf.Variable, gradient: tf.Tensor, scalars: UpdateScalars): void {
    const { rate, momentum, decay } = scalars as UpdateScalars & Record<'momentum' | 'decay', tf.Scalar>;
    const decays = this.options.weightDecay > 0 && decaysByRule(variable, this.options);
    const full = decays ? tf.add(gradient, tf.mul(variable, decay)) : gradient;
    const step = tf.mul(full, rate);
    if (this.options.momentum === 0) {
      variable.assign(tf.sub(variable, step));
      return;
    }
    const velocity = this.slot(variable, 'momentum');
    const next = tf.sub(tf.mul(velocity, momentum), step);
    const move = this.options.nesterov ? tf.sub(tf.mul(next, momentum), step) : next;
    velocity.assign(next);
    variable.assign(tf.add(variable, move));
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...this.options, exclude: [...this.options.exclude] };
  }
}

/** Whether a variable is among those that decay. Kernels are the weights of more than one dimension. */
export function decaysByRule(
  variable: tf.Variable,
  { decay, exclude }: { readonly decay: 'all' | 'kernels'; readonly exclude: readonly string[] },
): boolean {
  return (decay === 'all' || variable.rank > 1) && !matchesAny(exclude, variable.name);
}

export function checkDecay(name: string, weightDecay: number, decay: string): void {
  checkValue(name, weightDecay >= 0 && Number.isFinite(weightDecay), 'weightDecay must be 0 or more', weightDecay);
  checkValue(name, decay === 'all' || decay === 'kernels', `decay must be 'all' or 'kernels'`, decay);
}

/**
 * Stochastic gradient descent; goes into `train` as into `model.compile`.
 *
 * @throws ModelError for impossible options
 * @example sgd({ learningRate: cosineDecay(0.1, 10_000), momentum: 0.9, weightDecay: 5e-4 })
 */
export function sgd(options: SgdOptions): SGD {
  return new SGD(options);
}

tf.serialization.registerClass(SGD as unknown as tf.serialization.SerializableConstructor<SGD>);
