/** Muon: momentum, made orthogonal, for the kernels of convolutions; another optimizer for the rest.
 *  airbench's fastest recipes train with it. */

import * as tf from '@tensorflow/tfjs-core';
import { AdamW, adamW } from './adamw.ts';
import type { NamedTensor } from './clip.ts';
import { orthogonalize } from './newton-schulz.ts';
import { type OptimizerOptions, ScheduledOptimizer, type UpdateScalars } from './optimizer.ts';
import { checkValue } from './schedule.ts';
import { SGD } from './sgd.ts';
import { matchesAny } from './weight-names.ts';

export interface MuonOptions extends Omit<OptimizerOptions, 'learningRate'> {
  /** Default 0.02. */
  readonly learningRate?: OptimizerOptions['learningRate'];
  /** Default 0.95. */
  readonly momentum?: number;
  /** Default true. */
  readonly nesterov?: boolean;
  /** Decoupled: w loses λ·lr·w at every step. Default 0. */
  readonly weightDecay?: number;
  /** Steps of the Newton–Schulz iteration. Default 5. */
  readonly steps?: number;
  /** Which kernels it takes: those of convolutions, or of dense layers too. Default `conv`. */
  readonly kernels?: 'conv' | 'all';
  /** Names of kernels that it leaves to the others, e.g. the classifier's: `['fc/*']`. Default none. */
  readonly exclude?: readonly string[];
  /** Trains all other weights, with a schedule and factors of its own. Default: `adamW()`. */
  readonly others?: SGD | AdamW;
}

/**
 * Muon (K. Jordan and others, https://kellerjordan.github.io/posts/muon), for a kernel seen as a matrix M of
 * [height · width · in, out]:
 *
 *     v ← m·v + g;   u ← g + m·v with Nesterov, v without
 *     w ← w − λ·lr·w − lr · √max(1, out / (height · width · in)) · orthogonal(u)
 *
 * Depthwise kernels, biases, and the scales and offsets of BN go to `others`.
 */
export class Muon extends ScheduledOptimizer {
  /** @nocollapse */
  static readonly className = 'Muon';

  readonly others: SGD | AdamW;
  protected override readonly slotNames = ['muon'];
  private readonly options: Required<Omit<MuonOptions, keyof OptimizerOptions | 'others'>>;

  constructor(options: MuonOptions = {}) {
    super('muon', { ...options, learningRate: options.learningRate ?? 0.02 });
    const { momentum = 0.95, nesterov = true, weightDecay = 0, steps = 5, kernels = 'conv', exclude = [] } = options;
    this.options = { momentum, nesterov, weightDecay, steps, kernels, exclude };
    this.others = options.others ?? adamW();
    checkValue('muon', momentum >= 0 && momentum < 1, 'momentum must be at least 0 and less than 1', momentum);
    checkValue('muon', weightDecay >= 0 && Number.isFinite(weightDecay), 'weightDecay must be 0 or more', weightDecay);
    checkValue('muon', Number.isInteger(steps) && steps > 0, 'steps must be a whole number from 1 up', steps);
    checkValue('muon', kernels === 'conv' || kernels === 'all', `kernels must be 'conv' or 'all'`, kernels);
  }

  /** Whether this very optimizer, and not `others`, trains a weight. */
  private takes(name: string): boolean {
    const variable = tf.engine().registeredVariables[name];
    if (!variable || matchesAny([...this.options.exclude, '*/depthwise_kernel'], name)) return false;
    return variable.rank === 4 || (this.options.kernels === 'all' && variable.rank > 1);
  }

  protected override updateAll(gradients: readonly NamedTensor[]): void {
    this.others.learningRateScale = this.learningRateScale;
    super.updateAll(gradients.filter(({ name }) => this.takes(name)));
    this.others.applyGradients(gradients.filter(({ name }) => !this.takes(name)));
  }

  protected override numbers() {
    return { momentum: this.options.momentum, decay: this.options.weightDecay };
  }

  protected override update(variable: tf.Variable, gradient: tf.Tensor, scalars: UpdateScalars): void {
    const { rate, momentum, decay } = scalars as UpdateScalars & Record<'momentum' | 'decay', tf.Scalar>;
    const { nesterov, weightDecay, steps } = this.options;
    const velocity = this.slot(variable, 'muon');
    const next = tf.add(tf.mul(velocity, momentum), gradient);
    const direction = nesterov ? tf.add(gradient, tf.mul(next, momentum)) : next;
    const out = variable.shape.at(-1) ?? 1;
    const rows = variable.size / out;
    const orthogonal = orthogonalize(tf.reshape(direction, [rows, out]) as tf.Tensor2D, steps);
    const scaled = tf.mul(orthogonal, Math.sqrt(Math.max(1, out / rows)));
    const kept = weightDecay > 0 ? tf.sub(variable, tf.mul(variable, tf.mul(decay, rate))) : variable;
    velocity.assign(next);
    variable.assign(tf.sub(kept, tf.mul(tf.reshape(scaled, variable.shape), rate)));
  }

  override async getWeights(): Promise<NamedTensor[]> {
    const [iterations, ...others] = await this.others.getWeights();
    iterations?.tensor.dispose(); // the same as ours
    const named = others.map(({ name, tensor }) => ({ name: name.includes('/') ? name : OTHERS + name, tensor }));
    return [...(await super.getWeights()), ...named];
  }

  override async setWeights(weights: NamedTensor[]): Promise<void> {
    const [iterations, ...slots] = weights;
    const own = slots.filter(({ name }) => !name.startsWith(OTHERS) && !isSlotOfOthers(name));
    const others = slots.filter(({ name }) => name.startsWith(OTHERS) || isSlotOfOthers(name));
    if (!iterations) return;
    await super.setWeights([iterations, ...own]);
    const named = others.map(({ name, tensor }) => ({ name: name.replace(OTHERS, ''), tensor }));
    await this.others.setWeights([iterations, ...named]);
  }

  override getConfig(): tf.serialization.ConfigDict {
    const others = { className: this.others.getClassName(), config: this.others.getConfig() };
    return { ...super.getConfig(), ...this.options, exclude: [...this.options.exclude], others };
  }

  /** @nocollapse */
  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    const { className, config: own } = config.others as { className: string; config: tf.serialization.ConfigDict };
    const others =
      className === SGD.className
        ? SGD.fromConfig(SGD as unknown as tf.serialization.SerializableConstructor<SGD>, own)
        : AdamW.fromConfig(AdamW as unknown as tf.serialization.SerializableConstructor<AdamW>, own);
    return ScheduledOptimizer.fromConfig(cls, {
      ...config,
      others: others as unknown as tf.serialization.ConfigDictValue,
    });
  }

  override dispose(): void {
    super.dispose();
    this.others.dispose();
  }
}

/** Before the names of the others' state that belongs to no weight. */
const OTHERS = 'others:';

/** A weight's slot that is not ours. */
function isSlotOfOthers(name: string): boolean {
  return name.includes('/') && !name.endsWith('/muon');
}

/**
 * Muon; goes into `train` as into `model.compile`.
 *
 * @throws ModelError for impossible options
 * @example muon({ learningRate: cosineDecay(0.05, steps), exclude: ['fc/*'], others: sgd({ learningRate: 0.1, momentum: 0.9 }) })
 */
export function muon(options: MuonOptions = {}): Muon {
  return new Muon(options);
}

tf.serialization.registerClass(Muon as unknown as tf.serialization.SerializableConstructor<Muon>);
