/** Pruning while a network trains: the smallest weights become zero, more of them as time goes on, and stay zero.
 *  An optimizer keeps the zeros, a callback chooses them between two steps. */

import * as tf from '@tensorflow/tfjs-core';
import { ModelError } from '../models/errors.ts';
import type { Callback, CallbackRun } from '../train/callbacks/callback.ts';
import type { NamedTensor } from '../train/clip.ts';
import type { ScheduledOptimizer } from '../train/optimizer.ts';
import { WrappedOptimizer } from '../train/wrapped-optimizer.ts';
import { kernelsOf } from './kernels.ts';
import { canMask, type MaskStructure, maskOf } from './masks.ts';
import { type SparsitySchedule, type SparsityScheduleOptions, sparsitySchedule } from './sparsity-schedule.ts';

export interface MagnitudePruningOptions extends SparsityScheduleOptions {
  /**
   * `unstructured`: of each kernel the smallest weights, anywhere. `2:4`: of each four neighbours along the input channels
   * of an output the two smallest, as sparse tensor cores want it; the sparsity is then 0.5, at once at `begin`, and kernels
   * whose input channels are no multiple of 4 stay as they are. Default `unstructured`.
   */
  readonly structure?: MaskStructure;
  /** Names of kernels that stay dense, e.g. `['fc/*']`. Default none. */
  readonly exclude?: readonly string[];
}

const MASK = 'mask';

/** Keeps masked weights at 0, their gradients too: what else the optimizer inside does, it does to the rest. */
class PruningOptimizer extends WrappedOptimizer {
  /** @nocollapse */
  static readonly className = 'MagnitudePruning';

  protected override readonly ruleNames = [MASK];
  private readonly masks = new Map<string, tf.Variable>();
  private readonly config: tf.serialization.ConfigDict;

  constructor(inner: ScheduledOptimizer, config: tf.serialization.ConfigDict) {
    super(inner);
    this.config = config;
  }

  /** Replaces a weight's mask, and makes its weights 0. */
  mask(variable: tf.Variable, values: Float32Array): void {
    tf.tidy(() => {
      const mask = tf.tensor(values, variable.shape);
      const known = this.masks.get(variable.name);
      if (known) known.assign(mask);
      else this.masks.set(variable.name, tf.variable(mask, false));
      this.zero(variable.name);
    });
  }

  protected override before(gradients: readonly NamedTensor[]): readonly NamedTensor[] {
    return gradients.map(({ name, tensor }) => {
      const mask = this.masks.get(name);
      return { name, tensor: mask ? tf.mul(tensor, mask) : tensor };
    });
  }

  override enforce(): void {
    for (const name of this.masks.keys()) this.zero(name);
  }

  private zero(name: string): void {
    const [variable, mask] = [tf.engine().registeredVariables[name], this.masks.get(name)];
    // Chosen, not multiplied: a negative weight times 0 is −0.
    if (variable && mask) variable.assign(tf.where(tf.greater(mask, 0), variable, tf.zerosLike(variable)));
  }

  protected override ruleState(): NamedTensor[] {
    return [...this.masks].map(([name, tensor]) => ({ name: `${name}/${MASK}`, tensor }));
  }

  protected override async setRuleState(state: readonly NamedTensor[]): Promise<void> {
    this.forget();
    for (const { name, tensor } of state) {
      this.masks.set(name.slice(0, name.lastIndexOf('/')), tf.variable(tensor, false));
    }
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...this.config, inner: this.innerConfig() };
  }

  override dispose(): void {
    super.dispose();
    this.forget();
  }

  private forget(): void {
    for (const mask of this.masks.values()) mask.dispose();
    this.masks.clear();
  }
}

/** What `train` is given to prune or cluster: both belong to one run. */
export interface CompressingOptimizer {
  /** Disposes of the one that it was made of as well. */
  readonly optimizer: WrappedOptimizer;
  readonly callback: Callback;
}

/**
 * Prunes kernels by magnitude, layer by layer, while they are trained (M. Zhu and S. Gupta, arXiv 1710.01878; 2:4 as A.
 * Mishra et al., arXiv 2104.08378). A weight that has gone does not come back. Masks are a part of the optimizer's state: a
 * run that is resumed has the same bits. At the end the zeros are in the model itself, whatever averages were taken.
 *
 * @param optimizer one of ours; the result's `optimizer` takes its place
 * @throws ModelError for impossible options
 * @example
 * const { optimizer, callback } = magnitudePruning(sgd({ learningRate: 0.01 }), { sparsity: 0.8, end: 500 });
 * await train(model, photos, { epochs: 5, optimizer, callbacks: [callback] });
 */
export function magnitudePruning(
  optimizer: ScheduledOptimizer,
  options: MagnitudePruningOptions,
): CompressingOptimizer {
  const { structure = 'unstructured', exclude = [] } = options;
  if (structure !== 'unstructured' && structure !== '2:4') {
    throw new ModelError(`magnitudePruning: structure must be 'unstructured' or '2:4', received '${structure}'`);
  }
  const schedule = sparsitySchedule(structure === '2:4' ? { ...options, sparsity: 0.5 } : options);
  const pruning = new PruningOptimizer(optimizer, { ...schedule.config, structure, exclude: [...exclude] });
  return { optimizer: pruning, callback: callbackOf(pruning, schedule, structure, exclude) };
}

function callbackOf(
  pruning: PruningOptimizer,
  schedule: SparsitySchedule,
  structure: MaskStructure,
  exclude: readonly string[],
): Callback {
  const { begin = 0 } = schedule.config;
  const prune = async ({ model }: CallbackRun) => {
    const updates = pruning.iterations;
    const sparsity = schedule.at(updates);
    if (sparsity === undefined || (structure === '2:4' && updates !== begin)) return;
    for (const { variable } of kernelsOf(model, exclude)) {
      if (!canMask(structure, variable.shape)) continue;
      const values = (await variable.data()) as Float32Array;
      pruning.mask(variable, maskOf(values, variable.shape, structure, sparsity));
    }
  };
  return {
    name: 'magnitudePruning',
    beforeStep: prune,
    async onTrainEnd(outcome, run) {
      if (outcome !== 'done' && outcome !== 'stopped') return;
      // An average of the weights, or those of an earlier epoch, may be in the model now.
      await prune(run); // where the schedule ends with the last step
      tf.tidy(() => pruning.enforce());
    },
  };
}
