/** Steps, one ahead of what is known of them: the backend has the next one before the last one's loss is looked at. */

import type { Batch } from '../data/batches.ts';
import type { StepRecord } from './history.ts';
import { Meter } from './meter.ts';
import { stepInput, stepOptions } from './options.ts';
import { rateOf } from './rate-scale.ts';
import { atResolution } from './resolution.ts';
import type { Standing } from './standing.ts';
import { type Step, type StepOutput, trainingStep } from './step.ts';
import { findDead } from './trouble/dead-layers.ts';
import { Setback } from './trouble/setback.ts';

/** What is known of a step only when it has run. */
type MeasuredField = 'loss' | 'accuracy' | 'imagesPerSecond' | 'seconds';

export class Steps {
  /** Paused where something else than a step comes next. */
  readonly meter = new Meter();
  private readonly standing: Standing;
  private step: Step | undefined;
  /** The step that is being told to the callbacks. */
  private told: number | undefined;
  /** The step that was given to the backend last, until its loss is known. */
  private running:
    | { readonly record: Omit<StepRecord, MeasuredField>; readonly size: number; readonly output: Promise<StepOutput> }
    | undefined;
  /** Settles when the backend has nothing more to do. */
  private idle: Promise<unknown> = Promise.resolve();

  constructor(standing: Standing) {
    this.standing = standing;
  }

  /** A callback ends the run. The step after one that is told has been given to the backend already: it counts, on every path. */
  stop(reason: string): void {
    const { position } = this.standing;
    const after = this.told === undefined ? position.step : this.told + 1;
    this.standing.position = { ...position, stopping: position.stopping ?? { after, reason } };
  }

  /** The next step is prepared anew. */
  end(): void {
    this.step?.dispose();
    this.step = undefined;
    this.meter.pause();
  }

  /** The step under way comes to nothing. */
  async forget(): Promise<void> {
    this.running = undefined;
    await this.idle;
  }

  /** Gives the backend a step, then looks at the one before. */
  async learn(batch: Batch): Promise<void> {
    const { standing } = this;
    const { position, settings } = standing;
    const step = position.step + 1;
    await this.probe(step, batch);
    await standing.callbacks.beforeStep();
    const learningRate = rateOf(settings.optimizer);
    this.step ??= trainingStep(standing.model, stepOptions(settings, standing.averages, position.microBatch));
    const { resolution = [] } = settings.options;
    const shown = atResolution(batch, standing.data.imageShape, resolution, position.step);
    const output = this.step(stepInput(settings, shown));
    this.idle = output.catch(() => {}); // reported when its turn comes
    await this.finish();
    standing.position = { ...standing.position, step, batch: position.batch + 1, learningRate };
    const { batches } = settings;
    const at = { type: 'step', step, epoch: position.epoch + 1, batch: standing.position.batch, batches } as const;
    this.running = { record: { ...at, learningRate }, size: batch.size, output };
  }

  /** Looks at the activations where the losses have asked for it. */
  private async probe(step: number, { images }: Batch): Promise<void> {
    const { watch, mends, model } = this.standing;
    const { probeBefore } = watch.state;
    if (!mends || probeBefore === undefined || step < probeBefore) return;
    watch.probedBefore(step);
    const dead = await findDead(model, images);
    if (dead !== undefined) throw new Setback('dead', `${dead} at step ${step}`);
  }

  /** Waits for the running step and writes down what came of it. */
  async finish(): Promise<void> {
    if (!this.running) return;
    const { record, size, output } = this.running;
    this.running = undefined;
    const { loss, correct } = await output;
    const { standing } = this;
    const { watch, settings } = standing;
    const wrong = watch.see(record.step, loss, correct, size);
    if (wrong !== undefined && (standing.mends || !Number.isFinite(loss))) throw new Setback('diverged', wrong);
    standing.good.lived(record.step, () => watch.isStuck);
    const { sums } = standing.position;
    standing.position = {
      ...standing.position,
      sums: { loss: sums.loss + loss * size, correct: sums.correct + correct, images: sums.images + size },
    };
    this.meter.tick(size, performance.now() / 1000);
    const measured = {
      loss,
      accuracy: correct / size,
      imagesPerSecond: Math.round(10 * this.meter.imagesPerSecond) / 10,
      seconds: standing.seconds(),
    };
    const full: StepRecord = { ...record, ...measured };
    standing.folder?.append(full);
    const { epochs, onStep } = settings.options;
    const steps = epochs * settings.batches;
    const event = { ...full, epochs, steps, secondsLeft: this.secondsLeft(steps - record.step) };
    this.told = record.step;
    await standing.callbacks.step(event);
    this.told = undefined;
    await onStep?.(event);
  }

  private secondsLeft(steps: number): number | undefined {
    const { secondsPerStep } = this.meter;
    const { settings, position, validationSeconds } = this.standing;
    if (secondsPerStep === undefined) return undefined;
    const validations = settings.options.epochs - position.epoch;
    return steps * secondsPerStep + validations * validationSeconds;
  }
}
