/** Whether what a map assigns fits a network, weight by weight: what is taken as it is, what is made or adjusted so that
 *  the network computes the same, and what is missing. Shapes only; values are read when the weights are set. */

import type { Assignment } from './assign.ts';
import type { NeededLayer, Needs, Role } from './layers.ts';
import { toHwio, transpose, withChannels } from './layout.ts';
import type { WeightMap } from './maps/map.ts';
import type { WeightTensor } from './tensor.ts';

export interface FitOptions {
  /**
   * The classifier: `auto` takes the file's where it has as many classes and lets the model's start otherwise, `keep`
   * always keeps the model's, `require` demands the file's. Default `auto`.
   */
  readonly head?: 'auto' | 'keep' | 'require';
  /**
   * Where the pictures have another number of channels than the file's: `require` refuses, `adapt` makes the first
   * kernel fit: the sum for grey pictures. Default `require`.
   */
  readonly channels?: 'require' | 'adapt';
}

/** Where the values of one weight come from. */
export interface Settled {
  readonly layer: string;
  readonly role: Role;
  /** In our layout. */
  readonly shape: readonly number[];
  /** The tensor that it is, or the one that it was made from; undefined for constants. */
  readonly from: WeightTensor | undefined;
  read(): Promise<Float32Array>;
}

/** A weight of the network that nothing in the file fits. */
export interface Unfit {
  readonly layer: string;
  readonly role: Role;
  /** As the file would call it, and the shape that it would have there. */
  readonly name: string;
  readonly needed: readonly number[];
  /** The shape of the tensor of that name; undefined where there is none. */
  readonly found: readonly number[] | undefined;
}

export interface Fit {
  readonly map: WeightMap;
  readonly prefix: string;
  readonly otherPrefixes: readonly string[];
  readonly settled: readonly Settled[];
  /** What hinders; empty where the file fits. */
  readonly problems: readonly Unfit[];
  /** Of the classifier that keeps its own start. */
  readonly kept: readonly Unfit[];
  /** What was done so that the network computes what its origin computed. */
  readonly adjusted: readonly string[];
  /** Made of nothing, as the file does not have it. */
  readonly made: readonly string[];
  /** Names of tensors that went into weights of other names, as a bias into a mean. */
  readonly absorbed: readonly string[];
  /** How many weights of the network are taken from the file. */
  readonly taken: number;
  /** How many the network has. */
  readonly all: number;
}

/** Looks at each weight of `needs`. */
export function fit(needs: Needs, assignment: Assignment, options: FitOptions = {}): Fit {
  const work = new Work(needs, assignment, options);
  for (const layer of needs.layers) work.settle(layer);
  return work.done();
}

class Work {
  private readonly settled: Settled[] = [];
  private readonly problems: Unfit[] = [];
  private readonly kept: Unfit[] = [];
  private readonly counts = { zeroBias: 0, folded: 0, identity: 0, epsilon: 0, plain: 0 };
  private readonly adjusted: string[] = [];
  private readonly absorbed: string[] = [];
  private epsilons = '';
  private readonly needs: Needs;
  private readonly assignment: Assignment;
  private readonly options: FitOptions;

  constructor(needs: Needs, assignment: Assignment, options: FitOptions) {
    this.needs = needs;
    this.assignment = assignment;
    this.options = options;
  }

  settle(layer: NeededLayer): void {
    const before = this.problems.length;
    if (layer === this.needs.head) this.settleHead(layer);
    else if (layer.kind === 'norm') this.settleNorm(layer);
    else for (const role of layer.shapes.keys()) this.settleWeight(layer, role);
    if (this.problems.length === before && layer.kind === 'conv') this.countFolded(layer);
  }

  private settleHead(layer: NeededLayer): void {
    const { head = 'auto' } = this.options;
    const count = this.settled.length;
    const before = this.problems.length;
    for (const role of layer.shapes.keys()) this.settleWeight(layer, role);
    const fits = this.problems.length === before;
    if (head === 'require' || (head === 'auto' && fits)) return;
    const unfit = this.problems.splice(before);
    this.settled.splice(count);
    this.kept.push(
      ...[...layer.shapes.keys()].map((role) => unfit.find((one) => one.role === role) ?? this.unfit(layer, role)),
    );
  }

  /** A weight that is a tensor of the file as it stands, but for its layout. */
  private settleWeight(layer: NeededLayer, role: Role): void {
    const shape = layer.shapes.get(role) ?? [];
    const tensor = this.tensor(layer, role);
    const isFirst = layer === this.needs.first && role === 'kernel';
    if (tensor === undefined) {
      if (role !== 'bias' || this.tensor(layer, 'kernel') === undefined) this.fail(layer, role);
      else {
        this.counts.zeroBias++;
        this.constant(layer, role, 0);
      }
      return;
    }
    const stored = this.inOurLayout(tensor.shape, role);
    if (`${stored}` === `${shape}`) {
      this.counts.plain++;
      this.take(layer, role, tensor, () => this.converted(tensor, role));
    } else if (isFirst && this.options.channels === 'adapt' && sameButChannels(stored, shape)) {
      const [from, to] = [stored[2] ?? 0, shape[2] ?? 0];
      this.counts.plain++;
      this.adjusted.push(
        `the first kernel has ${to === 1 ? 'the sum of its' : `${to} channels made of`} ${from} channels`,
      );
      this.take(layer, role, tensor, async () => withChannels(await this.converted(tensor, role), stored, to));
    } else this.fail(layer, role);
  }

  /**
   * Batch normalisation is γ·(x − mean)/√(variance + ε) + β. A bias b that the network's convolution has no place for
   * goes into the mean (mean − b); another ε is made up for by γ·√((variance + ours)/(variance + theirs)), which unlike
   * a change of the variance is exact for any variance. Where the origin folded the whole into the convolution, what is
   * left is the identity with the convolution's bias as β.
   */
  private settleNorm(layer: NeededLayer): void {
    const conv = this.needs.layers.find(({ norm }) => norm === layer.name);
    const bias = conv && !conv.shapes.has('bias') ? this.vector(conv, 'bias', layer) : undefined;
    const terms = NORM.filter((role) => layer.shapes.has(role));
    const none = NORM.every((role) => this.tensor(layer, role) === undefined);
    if (
      none &&
      conv !== undefined &&
      this.tensor(conv, 'kernel') !== undefined &&
      this.tensor(conv, 'bias') !== undefined
    ) {
      this.counts.identity++;
      const identity = { gamma: 1, beta: 0, moving_mean: 0, moving_variance: 1 - (layer.epsilon ?? 0) };
      for (const role of terms) {
        if (role === 'beta' && bias !== undefined) this.take(layer, role, bias, () => bias.read());
        else this.constant(layer, role, identity[role]);
      }
      return;
    }
    const mean = this.vector(layer, 'moving_mean', layer);
    const variance = this.vector(layer, 'moving_variance', layer);
    const from = this.assignment.epsilons.get(layer) ?? this.assignment.map.epsilon;
    const to = layer.epsilon ?? 0;
    const compensate = from !== 'model' && Math.abs(from - to) > 1e-9;
    if (compensate) this.epsilons = `ε is ${from} in the file and ${to} here`;
    for (const role of terms) {
      const tensor = this.vector(layer, role, layer);
      if (tensor === undefined && this.tensor(layer, role) !== undefined) {
        this.fail(layer, role);
      } else if (role === 'gamma' && compensate && variance !== undefined) {
        this.counts.epsilon++;
        const scale = (gamma: number, v: number) => gamma * Math.sqrt((v + to) / (v + from));
        this.take(layer, role, tensor, async () => {
          const variances = await variance.read();
          const gammas = (await tensor?.read()) ?? new Float32Array(variances.length).fill(1);
          return gammas.map((gamma, i) => scale(gamma, variances[i] as number));
        });
      } else if (role === 'moving_variance' && compensate && variance !== undefined && !layer.shapes.has('gamma')) {
        // It may fall below 0; with our ε it is what theirs is with theirs.
        this.counts.epsilon++;
        this.take(layer, role, variance, async () => (await variance.read()).map((value) => value + from - to));
      } else if (role === 'moving_mean' && mean !== undefined && bias !== undefined) {
        this.take(layer, role, mean, async () => {
          const biases = await bias.read();
          return (await mean.read()).map((value, i) => value - (biases[i] as number));
        });
      } else if (tensor !== undefined) {
        this.counts.plain++;
        this.take(layer, role, tensor, () => tensor.read());
      } else if (
        (role === 'gamma' || role === 'beta') &&
        this.tensor(layer, role) === undefined &&
        mean !== undefined
      ) {
        this.constant(layer, role, role === 'gamma' ? 1 : 0);
      } else this.fail(layer, role);
    }
  }

  /** Says so where a bias went into the norm that follows, or found no place. */
  private countFolded(layer: NeededLayer): void {
    const tensor = layer.shapes.has('bias') ? undefined : this.tensor(layer, 'bias');
    if (tensor === undefined) return;
    const norm = this.needs.layers.find(({ name }) => name === layer.norm);
    if (norm === undefined) this.problems.push(this.unfit(layer, 'bias'));
    else if (this.tensor(norm, 'moving_mean') !== undefined) {
      this.counts.folded++;
      this.absorbed.push(tensor.name);
    }
  }

  done(): Fit {
    const { zeroBias, folded, identity, epsilon, plain } = this.counts;
    const { map, prefix, otherPrefixes } = this.assignment;
    const made: string[] = [];
    if (zeroBias > 0) made.push(`${zeroBias} biases of convolutions, which the file does not have, are 0`);
    if (identity > 0) {
      made.push(
        `${identity} batch normalisations do nothing: the file has them folded into its convolutions (fine-tune with ` +
          'them frozen)',
      );
    }
    const adjusted = [...this.adjusted];
    if (folded > 0) adjusted.push(`${folded} biases of convolutions are in the means of their batch normalisations`);
    if (epsilon > 0) adjusted.push(`${this.epsilons}: made up for in ${epsilon} batch normalisations`);
    const all = this.needs.layers.reduce((sum, { shapes }) => sum + shapes.size, 0);
    const { settled, problems, kept, absorbed } = this;
    const taken = plain + epsilon + folded;
    return { map, prefix, otherPrefixes, settled, problems, kept, adjusted, made, absorbed, taken, all };
  }

  private tensor(layer: NeededLayer, role: Role): WeightTensor | undefined {
    return this.assignment.found.get(layer)?.get(role);
  }

  /** A vector with as many values as `norm` has channels. */
  private vector(layer: NeededLayer, role: Role, norm: NeededLayer): WeightTensor | undefined {
    const tensor = this.tensor(layer, role);
    return `${tensor?.shape}` === `${norm.shapes.get('moving_mean')}` ? tensor : undefined;
  }

  private take(
    layer: NeededLayer,
    role: Role,
    from: WeightTensor | undefined,
    read: () => Promise<Float32Array>,
  ): void {
    this.settled.push({ layer: layer.name, role, shape: layer.shapes.get(role) ?? [], from, read });
  }

  private constant(layer: NeededLayer, role: Role, value: number): void {
    const shape = layer.shapes.get(role) ?? [];
    const size = shape.reduce((product, n) => product * n, 1);
    this.take(layer, role, undefined, async () => new Float32Array(size).fill(value));
  }

  private fail(layer: NeededLayer, role: Role): void {
    this.problems.push(this.unfit(layer, role));
  }

  private unfit(layer: NeededLayer, role: Role): Unfit {
    const shape = layer.shapes.get(role) ?? [];
    const needed = this.assignment.map.layout === 'OIHW' ? inTorchLayout(shape) : shape;
    const name = this.assignment.nameOf(layer, role);
    return { layer: layer.name, role, name, needed, found: this.tensor(layer, role)?.shape };
  }

  private inOurLayout(shape: readonly number[], role: Role): readonly number[] {
    const [a = 0, b = 0, c = 0, d = 0] = shape;
    if (this.assignment.map.layout === 'HWIO' || role !== 'kernel') return shape;
    return shape.length === 4 ? [c, d, b, a] : shape.length === 2 ? [b, a] : shape;
  }

  private async converted(tensor: WeightTensor, role: Role): Promise<Float32Array> {
    const values = await tensor.read();
    if (this.assignment.map.layout === 'HWIO' || role !== 'kernel') return values;
    const rank = tensor.shape.length;
    return rank === 4 ? toHwio(values, tensor.shape) : rank === 2 ? transpose(values, tensor.shape) : values;
  }
}

const NORM = ['gamma', 'beta', 'moving_mean', 'moving_variance'] as const;

function inTorchLayout(shape: readonly number[]): readonly number[] {
  const [height = 0, width = 0, input = 0, out = 0] = shape;
  return shape.length === 4 ? [out, input, height, width] : shape.length === 2 ? [width, height] : shape;
}

function sameButChannels(a: readonly number[], b: readonly number[]): boolean {
  return a.length === 4 && a.every((size, i) => i === 2 || size === b[i]);
}
