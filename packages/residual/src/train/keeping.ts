/** What of a run is kept: checkpoints in its folder, and good states to go back to. Both are copies of the same parts,
 *  and a resumed run stands exactly where its checkpoint was taken. */

import type { CallbackStates } from './callbacks/callback.ts';
import { applyState, captureState, isFiniteState, type Position, type RunState } from './checkpoint.ts';
import { setRateScale } from './rate-scale.ts';
import type { RunFolder, StoredRun } from './run-folder.ts';
import type { Standing } from './standing.ts';
import type { Steps } from './steps.ts';
import { GoodStates } from './trouble/good-states.ts';
import { planRecovery, setbackError } from './trouble/recovery.ts';
import { Setback } from './trouble/setback.ts';

export class Keeping {
  private readonly standing: Standing;
  private readonly steps: Steps;
  private saved: Position | undefined;
  /** The last copy of model and optimizer, and where it was taken. */
  private captured: { readonly position: Position; readonly state: RunState } | undefined;

  constructor(standing: Standing, steps: Steps) {
    this.standing = standing;
    this.steps = steps;
  }

  async startIn(folder: RunFolder, run: StoredRun | undefined): Promise<void> {
    const { standing } = this;
    standing.folder = folder;
    if (!run) return;
    const { position, callbacks = {}, watch = { seen: [] } } = run.meta;
    await applyState({ ...standing.parts, state: run.state, from: folder.directory });
    standing.good = new GoodStates(run.good);
    standing.watch.state = watch;
    standing.callbacks.restore(callbacks);
    this.stand(position);
    this.saved = position;
  }

  /** Model and optimizer on the host; a setback where they are sick. */
  async capture(): Promise<RunState> {
    const { standing } = this;
    const state = await captureState(standing.parts);
    const { position } = standing;
    if (standing.mends && !isFiniteState(state)) {
      throw new Setback('diverged', `the weights are not finite after step ${position.step}`);
    }
    this.captured = { position, state };
    return state;
  }

  trust(state: RunState): void {
    const { position, watch, callbacks, good } = this.standing;
    if (good.wantsOne) good.offer({ position, watch: watch.state, callbacks: callbacks.states(), state });
  }

  /** Back to the last good state, with what the plan of recovery says; the checkpoint says so before the logs do. */
  async goBack(setback: Setback): Promise<void> {
    const { standing } = this;
    const { model, callbacks, settings } = standing;
    const { optimizer, batchSize } = settings;
    await this.steps.forget();
    const normalises = model.layers.some((layer) => layer.getClassName() === 'BatchNormalization' && layer.trainable);
    const plan = planRecovery(setback, { position: standing.position, batchSize, normalises });
    if (plan.rateScale !== standing.position.rateScale && !setRateScale(optimizer, plan.rateScale)) {
      throw setbackError(setback, standing.position.learningRate);
    }
    const good = standing.good.goBack(setback.kind !== 'outOfMemory');
    const trouble = standing.note({ ...plan, trouble: setback.kind, backTo: good.position.step });
    const { troubles } = standing.position;
    await applyState({ ...standing.parts, state: good.state, from: 'the last good state' });
    standing.watch.state = good.watch;
    this.stand({ ...good.position, ...plan, troubles, seconds: standing.seconds() });
    const states = callbacks.statesAfterSetback(good.callbacks);
    await this.write(good.state, states);
    callbacks.restore(states);
    await standing.tell(trouble);
  }

  /** Writes a checkpoint, unless there is one of this very position, or the state is sick: the next step will show it. */
  async save(): Promise<void> {
    await this.steps.finish();
    const { folder, position, parts, mends, callbacks } = this.standing;
    if (!folder || this.saved === position) return;
    const fresh = this.captured?.position === position ? this.captured.state : undefined;
    const state = fresh ?? (await captureState(parts));
    if (mends && !isFiniteState(state)) return;
    await this.write(state, callbacks.states());
    this.steps.meter.pause();
  }

  private async write(state: RunState, callbacks: CallbackStates): Promise<void> {
    const { standing } = this;
    if (!standing.folder) return;
    standing.position = { ...standing.position, seconds: standing.seconds() };
    const meta = { position: standing.position, watch: standing.watch.state, callbacks };
    await standing.folder.save(state, meta, standing.good.all);
    this.saved = standing.position;
    this.captured = undefined;
  }

  /** Takes a position, with the learning rate and the cut of batches that belong to it. */
  private stand(position: Position): void {
    this.standing.position = position;
    this.steps.end();
    if (position.rateScale !== 1) setRateScale(this.standing.settings.optimizer, position.rateScale);
  }
}
