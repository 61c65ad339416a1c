/** Stochastic gradient descent with momentum, Nesterov's variant, weight decay and schedules, as a tf.Optimizer.
 *  TF.js has momentum only, with a fixed learning rate; this one also saves and restores its state bit for bit. */

import * as tf from '@tensorflow/tfjs-core';
import { ModelError } from '../models/errors.ts';
import { constant, cosineDecay, type Schedule, toSchedule } from './schedules.ts';

export interface SgdOptions {
  readonly learningRate: number | Schedule;
  /** m, from 0 (none) to less than 1. Default 0. */
  readonly momentum?: number;
  /** Y. Nesterov's momentum, as Keras and PyTorch write it. Default false. */
  readonly nesterov?: boolean;
  /** λ of PyTorch: λ·w is added to the gradient of w (Keras's `l2(λ / 2)`). Default 0. */
  readonly weightDecay?: number;
  /** What decays: `all`, as in PyTorch, or `kernels` only (no biases, no scales and offsets of BN). Default `all`. */
  readonly decay?: 'all' | 'kernels';
}

/** tfjs-core's own type of this form is not exported. */
interface NamedTensor {
  readonly name: string;
  readonly tensor: tf.Tensor;
}

/** The end of a slot's name: `conv1/kernel` has its velocity in `conv1/kernel/momentum`, as in TF.js's own optimizers. */
const SLOT = '/momentum';

/**
 * The update of Keras's `SGD`, with g ← g + λ·w first:
 *
 *     v ← m·v − lr·g;   w ← w + v, or w ← w + m·v − lr·g with Nesterov
 *
 * The learning rate is inside v, so a change of it acts on new gradients only (PyTorch scales the whole velocity).
 */
export class SGD extends tf.Optimizer {
  /** @nocollapse */
  static readonly className = 'ScheduledSGD';

  readonly schedule: Schedule;
  private readonly options: Required<Omit<SgdOptions, 'learningRate'>>;
  private readonly velocities = new Map<string, tf.Variable>();

  constructor(options: SgdOptions) {
    super();
    const { momentum = 0, nesterov = false, weightDecay = 0, decay = 'all' } = options;
    this.schedule = toSchedule(options.learningRate);
    this.options = { momentum, nesterov, weightDecay, decay };
    const check = (ok: boolean, rule: string, value: unknown) => {
      if (!ok) throw new ModelError(`sgd: ${rule}, received ${value}`);
    };
    check(momentum >= 0 && momentum < 1, 'momentum must be at least 0 and less than 1', momentum);
    check(weightDecay >= 0 && Number.isFinite(weightDecay), 'weightDecay must be 0 or more', weightDecay);
    check(['all', 'kernels'].includes(decay), `decay must be 'all' or 'kernels'`, decay);
    check(!nesterov || momentum > 0, 'nesterov needs a momentum above 0', momentum);
  }

  /** The learning rate of the next update. */
  get learningRate(): number {
    return this.schedule.at(this.iterations);
  }

  override applyGradients(gradients: tf.NamedTensorMap | NamedTensor[]): void {
    const named = Array.isArray(gradients)
      ? gradients.map(({ name, tensor }) => [name, tensor] as const)
      : Object.entries(gradients);
    tf.tidy(() => {
      // Scalars are tensors made once per step: a backend that compiles takes their values as inputs of its program.
      const scalars = {
        rate: tf.scalar(this.learningRate),
        momentum: tf.scalar(this.options.momentum),
        decay: tf.scalar(this.options.weightDecay),
      };
      for (const [name, gradient] of named) {
        const variable = tf.engine().registeredVariables[name];
        // Frozen variables have no gradient.
        if (variable && gradient) this.update(variable, gradient, scalars);
      }
    });
    this.incrementIterations();
  }

  private update(
    variable: tf.Variable,
    gradient: tf.Tensor,
    scalars: Readonly<Record<'rate' | 'momentum' | 'decay', tf.Scalar>>,
  ) {
    const { momentum, nesterov, weightDecay, decay } = this.options;
    // Kernels are the weights of more than one dimension.
    const decays = weightDecay > 0 && (decay === 'all' || variable.rank > 1);
    const full = decays ? tf.add(gradient, tf.mul(variable, scalars.decay)) : gradient;
    const step = tf.mul(full, scalars.rate);
    if (momentum === 0) {
      variable.assign(tf.sub(variable, step));
      return;
    }
    const velocity = this.velocityOf(variable);
    const next = tf.sub(tf.mul(velocity, scalars.momentum), step);
    const move = nesterov ? tf.sub(tf.mul(next, scalars.momentum), step) : next;
    velocity.assign(next);
    variable.assign(tf.add(variable, move));
  }

  private velocityOf(variable: tf.Variable): tf.Variable {
    let velocity = this.velocities.get(variable.name);
    if (!velocity) {
      velocity = tf.variable(tf.zerosLike(variable), false);
      this.velocities.set(variable.name, velocity);
    }
    return velocity;
  }

  /** The number of updates made, then the velocities, each under its variable's name + `/momentum`. */
  override async getWeights(): Promise<NamedTensor[]> {
    const slots = [...this.velocities].map(([name, tensor]) => ({ name: `${name}${SLOT}`, tensor }));
    return [await this.saveIterations(), ...slots];
  }

  /** Takes what `getWeights` gave; the tensors stay the caller's. */
  override async setWeights(weights: NamedTensor[]): Promise<void> {
    const slots = await this.extractIterations(weights);
    this.forget();
    for (const { name, tensor } of slots) {
      if (!name.endsWith(SLOT)) throw new ModelError(`sgd: has no state called '${name}'`);
      this.velocities.set(name.slice(0, -SLOT.length), tf.variable(tensor, false));
    }
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { learningRate: { name: this.schedule.name, ...this.schedule.config }, ...this.options };
  }

  /** @nocollapse */
  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    return new cls({ ...config, learningRate: scheduleFrom(config.learningRate) });
  }

  override dispose(): void {
    this.forget();
  }

  private forget(): void {
    for (const velocity of this.velocities.values()) velocity.dispose();
    this.velocities.clear();
  }
}

function scheduleFrom(config: tf.serialization.ConfigDictValue | undefined): Schedule {
  const values = config as Record<string, number>;
  const name: unknown = values.name;
  if (name === 'constant') return constant(values.learningRate ?? Number.NaN);
  if (name !== 'cosineDecay') throw new ModelError(`no schedule is called '${name}'; there are constant, cosineDecay`);
  return cosineDecay(values.initial ?? Number.NaN, values.steps ?? Number.NaN, {
    alpha: values.alpha ?? 0,
    warmupSteps: values.warmupSteps ?? 0,
  });
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
