/** Shows a training run while it goes: takes the library's events, smooths what jumps, and draws.
 *  On a terminal a live bar, elsewhere a plain line every few seconds; a line that stays for each epoch. */

import { count, duration } from '../evaluate/report-format.ts';
import type { TroubleRecord } from '../train/history.ts';
import type { EpochEvent, StepEvent } from '../train/options.ts';
import { troubleLine } from './diagnosis.ts';
import type { LiveLine } from './live-line.ts';
import { epochLine, type Progress, plainLine, progressLine } from './progress.ts';
import type { Style } from './style.ts';

/** How much of the shown mean is older than the last step: about twenty steps are averaged. */
const keep = 0.95;

export class TrainProgress {
  private readonly line: LiveLine;
  private readonly style: Style;
  private latest: Progress;
  private weight = 0;
  private loss = 0;
  private accuracy = 0;
  private epochStarted = 0;

  constructor(line: LiveLine, style: Style, epochs: number) {
    this.line = line;
    this.style = style;
    this.latest = {
      epoch: 1,
      epochs,
      step: 0,
      steps: 0,
      loss: Number.NaN,
      accuracy: Number.NaN,
      imagesPerSecond: 0,
      secondsLeft: Number.NaN,
    };
  }

  /** Before the first step, which takes longer than the others. */
  begin(what: string): void {
    if (this.line.isTerminal) this.line.draw(this.style.dim(what));
  }

  readonly onStep = (event: StepEvent): void => {
    this.weight = keep * this.weight + 1;
    this.loss += (event.loss - this.loss) / this.weight;
    this.accuracy += (event.accuracy - this.accuracy) / this.weight;
    this.latest = {
      epoch: event.epoch,
      epochs: event.epochs,
      step: event.batch,
      steps: event.batches,
      loss: this.loss,
      accuracy: this.accuracy,
      imagesPerSecond: event.imagesPerSecond,
      secondsLeft: event.secondsLeft ?? Number.NaN,
    };
    this.update(this.latest);
  };

  /** While the features of a frozen backbone are computed, before the first step. */
  readonly onFeatures = (done: number, total: number): void => {
    const text = `computing features: ${count(done)} of ${count(total)} pictures`;
    this.line.update(() => (this.line.isTerminal ? this.style.dim(text) : text));
  };

  readonly onValidation = (done: number, total: number): void => {
    this.update({ ...this.latest, doing: `validating ${Math.floor((100 * done) / total)} %` });
  };

  readonly onEpoch = (event: EpochEvent): void => {
    const { epoch, epochs, loss, accuracy, validationLoss, validationAccuracy } = event;
    const validation =
      validationLoss === undefined || validationAccuracy === undefined ? {} : { validationLoss, validationAccuracy };
    const seconds = event.seconds - this.epochStarted;
    this.epochStarted = event.seconds;
    this.line.clear();
    this.line.print(epochLine({ epoch, epochs, loss, accuracy, ...validation, seconds }, this.style));
  };

  readonly onTrouble = (trouble: TroubleRecord): void => {
    // What was given up shall not show in the running means.
    [this.weight, this.loss, this.accuracy] = [0, 0, 0];
    this.line.clear();
    this.line.print(troubleLine(trouble, this.style));
  };

  /** A resumed run does not count the earlier sittings into its first epoch. */
  resumedAt(seconds: number): void {
    this.epochStarted = seconds;
  }

  /** Ends the live line with a sentence that stays. */
  end(seconds: number): void {
    this.line.clear();
    this.line.print(this.style.dim(`trained in ${duration(seconds)}`));
  }

  private update(progress: Progress): void {
    this.line.update(() =>
      this.line.isTerminal ? progressLine(progress, this.line.width, this.style) : plainLine(progress),
    );
  }
}
