/** What our optimizers have in common: schedules, clipping, factors by name, and state that is kept bit for bit.
 *  Everything that changes from step to step goes in as a tensor, so that a compiled step is compiled once. */

import * as tf from '@tensorflow/tfjs-core';
import { ModelError } from '../models/errors.ts';
import { type Clip, checkClip, clipGradients, type NamedTensor } from './clip.ts';
import { checkValue, isWatching, type Schedule } from './schedule.ts';
import { scheduleFromData, scheduleToData } from './schedule-config.ts';
import { toSchedule } from './schedules.ts';
import { type FactorsByName, factorFor } from './weight-names.ts';

/** Options of every optimizer here. */
export interface OptimizerOptions {
  readonly learningRate: number | Schedule;
  /** Shortens gradients before they are used. Default: not. */
  readonly clip?: Clip;
  /**
   * Multiples of the learning rate by the names of weights, e.g. `{ '*\/beta': 64, 'fc/*': 10 }`; the first pattern
   * that matches counts, and 0 leaves a weight as it is. Default: 1 for all.
   */
  readonly learningRateFactors?: FactorsByName;
}

/** What one update of one variable may read. */
export interface UpdateScalars {
  /** Learning rate of the variable: schedule × factor. */
  readonly rate: tf.Scalar;
  /** The subclass's own numbers of this step. */
  readonly [name: string]: tf.Scalar;
}

const SCHEDULE = 'schedule';
const SCALE = 'learningRateScale';
/** In the place of a slot's name: how many updates had been made when a weight got its first one. */
const BORN = 'born';

/** A tf.Optimizer with a schedule. A subclass names its slots and says how a variable is updated. */
export abstract class ScheduledOptimizer extends tf.Optimizer {
  readonly schedule: Schedule;
  /** Multiplies the schedule, e.g. 0.1 after a divergence. A part of the state that is saved. */
  learningRateScale = 1;
  protected readonly clip: Clip | undefined;
  protected readonly learningRateFactors: FactorsByName;
  private readonly slots = new Map<string, tf.Variable>();
  /** By weight: the updates that were made before its own first one; more than 0 where it was frozen until then. */
  private readonly born = new Map<string, number>();

  constructor(name: string, { learningRate, clip, learningRateFactors = {} }: OptimizerOptions) {
    super();
    this.schedule = toSchedule(learningRate);
    this.clip = clip;
    this.learningRateFactors = learningRateFactors;
    if (clip) checkClip(name, clip);
    for (const [pattern, factor] of Object.entries(learningRateFactors)) {
      const ok = factor >= 0 && Number.isFinite(factor);
      checkValue(name, ok, `learningRateFactors: the factor of '${pattern}' must be a number from 0 up`, factor);
    }
  }

  /** The learning rate of the next update. */
  get learningRate(): number {
    return this.schedule.at(this.iterations) * this.learningRateScale;
  }

  /** Ends of the names of this optimizer's slots: `conv1/kernel` has its velocity in `conv1/kernel/momentum`. */
  protected abstract readonly slotNames: readonly string[];

  /** Whether `numbers` depends on its argument; then a weight's age is a part of the state. */
  protected readonly agesMatter: boolean = false;

  /**
   * Numbers of this step beside the learning rate: they become tensors once for all variables of an age.
   *
   * @param age how many updates a variable has had
   */
  protected abstract numbers(age: number): Readonly<Record<string, number>>;

  /** Changes one variable (and its slots) in place; inside `tf.tidy`. */
  protected abstract update(variable: tf.Variable, gradient: tf.Tensor, scalars: UpdateScalars): void;

  override applyGradients(gradients: tf.NamedTensorMap | NamedTensor[]): void {
    const named: NamedTensor[] = Array.isArray(gradients)
      ? gradients
      : Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
    tf.tidy(() => {
      // Frozen variables have no gradient.
      const present = named.filter(({ name, tensor }) => tensor && factorFor(this.learningRateFactors, name) !== 0);
      this.updateAll(clipGradients(present, this.clip));
    });
    this.incrementIterations();
  }

  protected updateAll(gradients: readonly NamedTensor[]): void {
    const rates = new Map<number, tf.Scalar>();
    const rateOf = (factor: number) => {
      const known = rates.get(factor) ?? tf.scalar(this.learningRate * factor);
      rates.set(factor, known);
      return known;
    };
    const own = new Map<number, Readonly<Record<string, tf.Scalar>>>();
    const numbersOf = (name: string) => {
      const born = this.born.get(name) ?? this.iterations;
      this.born.set(name, born);
      const age = this.agesMatter ? this.iterations - born : 0;
      const known = own.get(age) ?? scalarsOf(this.numbers(age));
      own.set(age, known);
      return known;
    };
    for (const { name, tensor } of gradients) {
      const variable = tf.engine().registeredVariables[name];
      if (!variable) continue;
      this.update(variable, tensor, { ...numbersOf(name), rate: rateOf(factorFor(this.learningRateFactors, name)) });
    }
  }

  /** A variable's slot, of its shape; zeros at first. */
  protected slot(variable: tf.Variable, slotName: string): tf.Variable {
    const name = `${variable.name}/${slotName}`;
    let slot = this.slots.get(name);
    if (!slot) {
      slot = tf.variable(tf.zerosLike(variable), false);
      this.slots.set(name, slot);
    }
    return slot;
  }

  /**
   * The number of updates made, then the slots by name, and the state of a schedule that has one. Tensors that are no
   * variables were made for the caller.
   */
  override async getWeights(): Promise<NamedTensor[]> {
    const slots: NamedTensor[] = [...this.slots].map(([name, tensor]) => ({ name, tensor }));
    const { schedule, learningRateScale } = this;
    for (const [name, born] of this.born) {
      if (this.agesMatter && born > 0) slots.push({ name: `${name}/${BORN}`, tensor: tf.scalar(born, 'int32') });
    }
    if (isWatching(schedule)) slots.push({ name: SCHEDULE, tensor: bitsOf(schedule.saveState()) });
    if (learningRateScale !== 1) slots.push({ name: SCALE, tensor: bitsOf([learningRateScale]) });
    return [await this.saveIterations(), ...slots];
  }

  /**
   * Takes what `getWeights` gave; the tensors stay the caller's.
   *
   * @throws ModelError for a slot that this optimizer does not have
   */
  override async setWeights(weights: NamedTensor[]): Promise<void> {
    const slots = await this.extractIterations(weights);
    this.forget();
    this.learningRateScale = 1;
    for (const { name, tensor } of slots) {
      const end = name.slice(name.lastIndexOf('/') + 1);
      if (name === SCHEDULE && isWatching(this.schedule)) this.schedule.restoreState(await numbersOf(tensor));
      else if (name === SCALE) this.learningRateScale = (await numbersOf(tensor))[0] ?? 1;
      else if (end === BORN) this.born.set(weightOf(name), (await tensor.data())[0] ?? 0);
      else if (this.slotNames.includes(end)) {
        this.slots.set(name, tf.variable(tensor, false));
        if (!this.born.has(weightOf(name))) this.born.set(weightOf(name), 0);
      } else throw new ModelError(`${this.getClassName()}: has no state called '${name}'`);
    }
  }

  /** Of all optimizers: a subclass adds its own. */
  override getConfig(): tf.serialization.ConfigDict {
    const { clip, learningRateFactors } = this;
    return {
      learningRate: scheduleToData(this.schedule) as unknown as tf.serialization.ConfigDict,
      ...(clip ? { clip: { ...clip } } : {}),
      ...(Object.keys(learningRateFactors).length > 0 ? { learningRateFactors: { ...learningRateFactors } } : {}),
    };
  }

  /** @nocollapse */
  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    const learningRate = scheduleFromData(config.learningRate) as unknown as tf.serialization.ConfigDictValue;
    return new cls({ ...config, learningRate });
  }

  override dispose(): void {
    this.forget();
  }

  private forget(): void {
    for (const slot of this.slots.values()) slot.dispose();
    this.slots.clear();
    this.born.clear();
  }
}

function scalarsOf(numbers: Readonly<Record<string, number>>): Readonly<Record<string, tf.Scalar>> {
  return Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, tf.scalar(value)]));
}

/** The weight's part of a slot's name. */
function weightOf(slot: string): string {
  return slot.slice(0, slot.lastIndexOf('/'));
}

/** Doubles as pairs of integers: TF.js has no tensor that holds 64 bits. */
function bitsOf(values: readonly number[]): tf.Tensor {
  return tf.tensor1d(new Int32Array(Float64Array.from(values).buffer), 'int32');
}

async function numbersOf(tensor: tf.Tensor): Promise<number[]> {
  const bits = Int32Array.from((await tensor.data()) as Int32Array);
  return Array.from(new Float64Array(bits.buffer));
}
