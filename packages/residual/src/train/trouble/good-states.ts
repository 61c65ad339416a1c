/** The states that training can go back to, as copies on the host.
 *  A state is trusted only when training has lived through a window of steps after it: what explodes was sick before. */

import type { CallbackStates } from '../callbacks/callback.ts';
import type { Position, RunState } from '../checkpoint.ts';
import { type WatchState, WINDOW } from './loss-watch.ts';

export interface GoodState {
  readonly position: Position;
  readonly watch: WatchState;
  readonly callbacks: CallbackStates;
  readonly state: RunState;
}

/** At most two: the last that is trusted, and one that is still on trial. Both depend on steps and epochs alone. */
export class GoodStates {
  private trusted: GoodState | undefined;
  private onTrial: GoodState | undefined;

  constructor(states: readonly GoodState[]) {
    [this.trusted, this.onTrial] = states;
  }

  /** The trusted one first. */
  get all(): readonly GoodState[] {
    return [this.trusted, this.onTrial].filter((state) => state !== undefined);
  }

  /** Whether `offer` would take a state now. */
  get wantsOne(): boolean {
    return this.onTrial === undefined;
  }

  /** The first is trusted at once: there is no other. */
  offer(state: GoodState): void {
    if (this.trusted === undefined) this.trusted = state;
    else this.onTrial ??= state;
  }

  /** A step turned out well; while the loss is stuck at chance nothing is trusted anew. */
  lived(step: number, isStuck: () => boolean): void {
    if (this.onTrial && step >= this.onTrial.position.step + WINDOW && !isStuck()) {
      this.trusted = this.onTrial;
      this.onTrial = undefined;
    }
  }

  /** Where to go back to: with `doubt`, past the state on trial, which is given up. */
  goBack(doubt: boolean): GoodState {
    if (doubt) this.onTrial = undefined;
    const state = this.onTrial ?? this.trusted;
    if (!state) throw new Error('internal: there is no good state');
    return state;
  }
}
