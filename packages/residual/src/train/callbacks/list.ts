/** All callbacks of a run as one: each event goes to each, in the order in which they were given.
 *  Their states travel by name, so a resumed run may have others than the first sitting had. */

import { ModelError } from '../../models/errors.ts';
import type { TroubleRecord } from '../history.ts';
import type { EpochEvent, StepEvent } from '../options.ts';
import type { Callback, CallbackRun, CallbackStates, Outcome } from './callback.ts';

export class CallbackList {
  private readonly callbacks: readonly Callback[];
  private run: CallbackRun | undefined;

  /** @throws ModelError where two have the same name */
  constructor(callbacks: readonly Callback[]) {
    const names = callbacks.map(({ name }) => name);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) {
      throw new ModelError(`train: two callbacks are called '${twice}'; give each a name of its own`);
    }
    this.callbacks = callbacks;
  }

  states(): CallbackStates {
    return Object.fromEntries(
      this.callbacks.flatMap((callback) => (callback.getState ? [[callback.name, callback.getState()] as const] : [])),
    );
  }

  /** What the states will be after going back to where they were `then`. */
  statesAfterSetback(then: CallbackStates): CallbackStates {
    const staying = new Set(this.callbacks.flatMap(({ name, staysOnSetback }) => (staysOnSetback ? [name] : [])));
    const now = Object.entries(this.states()).filter(([name]) => staying.has(name));
    return { ...then, ...Object.fromEntries(now) };
  }

  restore(states: CallbackStates): void {
    for (const callback of this.callbacks) {
      const state = states[callback.name];
      if (state !== undefined) callback.setState?.(state);
    }
  }

  async begin(run: CallbackRun): Promise<void> {
    this.run = run;
    for (const callback of this.callbacks) await callback.onTrainBegin?.(run);
  }

  async beforeStep(): Promise<void> {
    for (const callback of this.callbacks) await callback.beforeStep?.(this.begun());
  }

  async step(event: StepEvent): Promise<void> {
    for (const callback of this.callbacks) await callback.onStep?.(event, this.begun());
  }

  async epoch(event: EpochEvent): Promise<void> {
    for (const callback of this.callbacks) await callback.onEpoch?.(event, this.begun());
  }

  validation(done: number, total: number): void {
    for (const callback of this.callbacks) callback.onValidation?.(done, total);
  }

  async trouble(event: TroubleRecord): Promise<void> {
    for (const callback of this.callbacks) await callback.onTrouble?.(event, this.begun());
  }

  /** Each gets its chance to close its files, whatever the others do; the first error is thrown then. */
  async end(outcome: Outcome): Promise<void> {
    const { run } = this;
    if (!run) return;
    this.run = undefined;
    const errors: unknown[] = [];
    for (const callback of this.callbacks) {
      try {
        await callback.onTrainEnd?.(outcome, run);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  private begun(): CallbackRun {
    if (!this.run) throw new Error('internal: the callbacks have not begun');
    return this.run;
  }
}
