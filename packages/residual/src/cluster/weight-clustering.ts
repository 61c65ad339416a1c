/** Clustering while a network trains: the weights of a kernel share a few values, and the values learn.
 *  An optimizer moves the centroids, a callback finds them before the first step. */

import * as tf from '@tensorflow/tfjs-core';
import { ModelError } from '../models/errors.ts';
import { kernelsOf } from '../prune/kernels.ts';
import type { CompressingOptimizer } from '../prune/magnitude-pruning.ts';
import type { Callback } from '../train/callbacks/callback.ts';
import type { NamedTensor } from '../train/clip.ts';
import type { ScheduledOptimizer } from '../train/optimizer.ts';
import { WrappedOptimizer } from '../train/wrapped-optimizer.ts';
import { type CentroidInit, type Clusters, centroidInits, clusterValues } from './centroids.ts';

export interface WeightClusteringOptions {
  /** Values that the weights of a kernel share, from 2 to 65,536; 16 are 4 bits, 256 are 8. Default 16. */
  readonly clusters?: number;
  /**
   * Where the centroids are looked for first: evenly from the smallest weight to the largest, so that each stands for as
   * many weights, or drawn by distance. Lloyd's rounds follow. Default `kmeans++`.
   */
  readonly init?: CentroidInit;
  /**
   * What a centroid gets of its weights' gradients. The sum is its true gradient, hundreds of thousands of times as steep
   * as a weight's; the mean moves all weights as the optimizer would have, as far as they can only move together.
   * Default `mean`.
   */
  readonly gradients?: 'mean' | 'sum';
  /** Names of kernels that keep all their values, e.g. `['fc/*']`. Default none. */
  readonly exclude?: readonly string[];
  /** For kmeans++. Default 0. */
  readonly seed?: number;
}

const CENTROIDS = 'centroids';
const ASSIGNMENT = 'assignment';
const ZERO = 'zero';

interface Clustered {
  /** Registered with TF.js, so that the optimizer inside finds it by its name. */
  readonly centroids: tf.Variable;
  /** For each weight its centroid, int32, flat. */
  readonly assignment: tf.Variable;
  /** `Clusters.zero`. */
  readonly zero: tf.Variable;
  /** What a centroid's sum of gradients is multiplied by; 0 for a centroid that stays 0. */
  readonly factors: tf.Tensor1D;
}

class ClusteringOptimizer extends WrappedOptimizer {
  /** @nocollapse */
  static readonly className = 'WeightClustering';

  protected override readonly ruleNames = [CENTROIDS, ASSIGNMENT, ZERO];
  private readonly kernels = new Map<string, Clustered>();
  private readonly options: Required<WeightClusteringOptions>;

  constructor(inner: ScheduledOptimizer, options: Required<WeightClusteringOptions>) {
    super(inner);
    this.options = options;
  }

  get begun(): boolean {
    return this.kernels.size > 0;
  }

  /** Gives a kernel its clusters; `enforce` puts the values into it. */
  cluster(name: string, { centroids, assignment, zero }: Clusters): void {
    const counts = new Float64Array(centroids.length);
    for (const k of assignment) counts[k]++;
    const mean = this.options.gradients === 'mean';
    const factors = Float32Array.from(counts, (n, k) => (k === zero || n === 0 ? 0 : mean ? 1 / n : 1));
    this.kernels.set(name, {
      centroids: tf.variable(tf.tensor1d(centroids), true, `${name}/${CENTROIDS}`),
      assignment: tf.variable(tf.tensor1d(assignment, 'int32'), false),
      zero: tf.variable(tf.scalar(zero, 'int32'), false),
      factors: tf.tensor1d(factors),
    });
  }

  protected override before(gradients: readonly NamedTensor[]): readonly NamedTensor[] {
    return gradients.map(({ name, tensor }) => {
      const kernel = this.kernels.get(name);
      if (kernel === undefined) return { name, tensor };
      const { centroids, assignment, factors } = kernel;
      // [weights, centroids], which a compiling backend never puts into memory: a sum over the weights of each.
      const places = tf.range(0, centroids.size, 1, 'int32');
      const own = tf.equal(tf.expandDims(assignment, 1), tf.expandDims(places, 0));
      const flat = tf.reshape(tensor, [tensor.size, 1]);
      const sums = tf.sum(tf.mul(tf.cast(own, 'float32'), flat), 0);
      return { name: centroids.name, tensor: tf.mul(sums, factors) };
    });
  }

  override enforce(): void {
    for (const [name, { centroids, assignment }] of this.kernels) {
      const variable = tf.engine().registeredVariables[name];
      if (variable) variable.assign(tf.reshape(tf.gather(centroids, assignment as tf.Tensor1D), variable.shape));
    }
  }

  /** Centroids from what is in the kernels now, where averages or other epochs' weights were put into them. */
  async recentre(): Promise<void> {
    for (const [name, { centroids, assignment, factors }] of this.kernels) {
      const variable = tf.engine().registeredVariables[name];
      if (!variable) continue;
      const [values, places, live] = await Promise.all([variable.data(), assignment.data(), factors.data()]);
      const [sums, counts] = [new Float64Array(centroids.size), new Float64Array(centroids.size)];
      places.forEach((k, i) => {
        sums[k] += values[i];
        counts[k]++;
      });
      const old = await centroids.data();
      const means = Float32Array.from(old, (value, k) => (live[k] === 0 ? value : sums[k] / counts[k]));
      tf.tidy(() => centroids.assign(tf.tensor1d(means)));
    }
  }

  protected override ruleState(): NamedTensor[] {
    return [...this.kernels].flatMap(([name, { centroids, assignment, zero }]): NamedTensor[] => [
      { name: `${name}/${CENTROIDS}`, tensor: centroids },
      { name: `${name}/${ASSIGNMENT}`, tensor: assignment },
      { name: `${name}/${ZERO}`, tensor: zero },
    ]);
  }

  protected override async setRuleState(state: readonly NamedTensor[]): Promise<void> {
    this.forget();
    const tensors = new Map(state.map(({ name, tensor }) => [name, tensor]));
    const valuesOf = async (name: string) => {
      const tensor = tensors.get(name);
      if (!tensor) throw new ModelError(`weightClustering: the state has no ${name}`);
      return tensor.data();
    };
    for (const key of tensors.keys()) {
      if (!key.endsWith(`/${CENTROIDS}`)) continue;
      const name = key.slice(0, key.lastIndexOf('/'));
      const centroids = Float32Array.from(await valuesOf(key));
      const assignment = Int32Array.from(await valuesOf(`${name}/${ASSIGNMENT}`));
      const [zero = -1] = await valuesOf(`${name}/${ZERO}`);
      this.cluster(name, { centroids, assignment, zero });
    }
  }

  /** Slots of centroids are stored as slots of their kernels: these have names that are the same in every process. */
  override async getWeights(): Promise<NamedTensor[]> {
    return (await super.getWeights()).map(({ name, tensor }) => ({
      name: name.replace(SLOT, `/${CENTROIDS}:$1`),
      tensor,
    }));
  }

  override async setWeights(weights: NamedTensor[]): Promise<void> {
    await super.setWeights(
      weights.map(({ name, tensor }) => ({ name: name.replace(`/${CENTROIDS}:`, `/${CENTROIDS}/`), tensor })),
    );
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...this.options, exclude: [...this.options.exclude], inner: this.innerConfig() };
  }

  override dispose(): void {
    super.dispose();
    this.forget();
  }

  private forget(): void {
    for (const kernel of this.kernels.values()) tf.dispose({ ...kernel });
    this.kernels.clear();
  }
}

/** `conv1/kernel/centroids/momentum`: a slot that the optimizer inside keeps for centroids. */
const SLOT = /\/centroids\/([^/]+)$/;

/**
 * Clusters the weights of each kernel and trains the centroids (S. Han et al., arXiv 1510.00149, 3): a file of few
 * different values packs well. Which weight belongs to which centroid is settled before the first step and is, with the
 * centroids, a part of the optimizer's state. The zeros of a pruned kernel have a centroid of their own, which stays 0.
 *
 * @param optimizer one of ours; the result's `optimizer` takes its place
 * @throws ModelError for impossible options
 * @example
 * const { optimizer, callback } = weightClustering(sgd({ learningRate: 0.01 }), { clusters: 16 });
 * await train(model, photos, { epochs: 2, optimizer, callbacks: [callback] });
 */
export function weightClustering(
  optimizer: ScheduledOptimizer,
  options: WeightClusteringOptions = {},
): CompressingOptimizer {
  const { clusters = 16, init = 'kmeans++', gradients = 'mean', exclude = [], seed = 0 } = options;
  const check = (ok: boolean, rule: string, value: unknown) => {
    if (!ok) throw new ModelError(`weightClustering: ${rule}, received ${value}`);
  };
  const countRule = 'clusters must be a whole number from 2 to 65536';
  check(Number.isInteger(clusters) && clusters >= 2 && clusters <= 65_536, countRule, clusters);
  check(centroidInits.includes(init), `init must be one of ${centroidInits.join(', ')}`, init);
  check(gradients === 'mean' || gradients === 'sum', "gradients must be 'mean' or 'sum'", gradients);
  const clustering = new ClusteringOptimizer(optimizer, { clusters, init, gradients, exclude, seed });
  const callback: Callback = {
    name: 'weightClustering',
    async onTrainBegin({ model }) {
      if (clustering.begun) return; // resumed
      for (const [i, { variable }] of kernelsOf(model, exclude).entries()) {
        const values = (await variable.data()) as Float32Array;
        clustering.cluster(variable.name, clusterValues(values, clusters, init, seed + i));
      }
      tf.tidy(() => clustering.enforce());
    },
    async onTrainEnd(outcome) {
      if (outcome !== 'done' && outcome !== 'stopped') return;
      await clustering.recentre();
      tf.tidy(() => clustering.enforce());
    },
  };
  return { optimizer: clustering, callback };
}
