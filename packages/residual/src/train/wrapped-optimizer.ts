/** An optimizer around another one, which it holds to a rule: zeros that stay, weights that share their values.
 *  Schedule, rate and state are those of the one inside; the rule adds its own state to the checkpoint. */

import * as tf from '@tensorflow/tfjs-core';
import type { NamedTensor } from './clip.ts';
import type { ScheduledOptimizer } from './optimizer.ts';
import type { Schedule } from './schedule.ts';

export abstract class WrappedOptimizer extends tf.Optimizer {
  readonly inner: ScheduledOptimizer;

  constructor(inner: ScheduledOptimizer) {
    super();
    this.inner = inner;
  }

  get schedule(): Schedule {
    return this.inner.schedule;
  }

  get learningRate(): number {
    return this.inner.learningRate;
  }

  get learningRateScale(): number {
    return this.inner.learningRateScale;
  }

  set learningRateScale(scale: number) {
    this.inner.learningRateScale = scale;
  }

  override get iterations(): number {
    return this.inner.iterations;
  }

  override applyGradients(gradients: tf.NamedTensorMap | NamedTensor[]): void {
    const named = Array.isArray(gradients)
      ? gradients
      : Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
    tf.tidy(() => {
      // Frozen variables have no gradient.
      this.inner.applyGradients([...this.before(named.filter(({ tensor }) => tensor))]);
      this.enforce();
    });
  }

  /** The gradients that the optimizer inside gets; inside `tf.tidy`. */
  protected abstract before(gradients: readonly NamedTensor[]): readonly NamedTensor[];

  /** Makes the weights keep the rule after they were changed; inside `tf.tidy`. */
  abstract enforce(): void;

  /** Ends of the names of the rule's own state, as `mask` in `conv1/kernel/mask`. */
  protected abstract readonly ruleNames: readonly string[];

  /** That state by the full names of weights; the tensors stay the rule's. */
  protected abstract ruleState(): NamedTensor[];

  /** Takes what `ruleState` gave, in place of all that was there; the tensors stay the caller's. */
  protected abstract setRuleState(state: readonly NamedTensor[]): Promise<void>;

  override async getWeights(): Promise<NamedTensor[]> {
    return [...(await this.inner.getWeights()), ...this.ruleState()];
  }

  override async setWeights(weights: NamedTensor[]): Promise<void> {
    const isRule = ({ name }: NamedTensor) => this.ruleNames.includes(name.slice(name.lastIndexOf('/') + 1));
    await this.inner.setWeights(weights.filter((weight) => !isRule(weight)));
    await this.setRuleState(weights.filter(isRule));
  }

  override dispose(): void {
    this.inner.dispose();
  }

  /** Of the optimizer inside, for a fingerprint. */
  protected innerConfig(): tf.serialization.ConfigDict {
    return { className: this.inner.getClassName(), config: this.inner.getConfig() };
  }
}
