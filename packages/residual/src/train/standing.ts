/** Where a run stands, and what the parts of the training loop share: `steps.ts` learns, `validation.ts` looks,
 *  `keeping.ts` saves and goes back, `loop.ts` calls them in turn. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Splits } from '../data/dataset.ts';
import { Averages } from './averages.ts';
import { CallbackList } from './callbacks/list.ts';
import type { Position } from './checkpoint.ts';
import type { CachedRun } from './features/cached-run.ts';
import type { TroubleRecord } from './history.ts';
import type { Settings } from './options.ts';
import type { RunFolder } from './run-folder.ts';
import { GoodStates } from './trouble/good-states.ts';
import { chanceOf, LossWatch } from './trouble/loss-watch.ts';

const start: Position = {
  step: 0,
  learningRate: 0,
  epoch: 0,
  batch: 0,
  sums: { loss: 0, correct: 0, images: 0 },
  seconds: 0,
  epochs: [],
  rateScale: 1,
  troubles: [],
};

/** The sums of an epoch that begins. */
export const noSums = start.sums;

export class Standing {
  /** As it was given: what callbacks see and what is saved. */
  readonly whole: { readonly model: LayersModel; readonly data: Splits };
  /** What is trained, on what: the head and features, where those are computed once. */
  readonly model: LayersModel;
  readonly data: Splits;
  readonly settings: Settings;
  readonly callbacks: CallbackList;
  readonly watch: LossWatch;
  /** Slow copies of the weights, where the options ask for them; validation and all that is kept for use see these. */
  readonly averages: Averages;
  readonly mends: boolean;
  good = new GoodStates([]);
  folder: RunFolder | undefined;
  position = start;
  /** What the last validation took. */
  validationSeconds = 0;
  private startedAt = performance.now();

  constructor(whole: LayersModel, pictures: Splits, settings: Settings, cached?: CachedRun) {
    const { options } = settings;
    const { head: model = whole, data = pictures } = cached ?? {};
    this.whole = { model: whole, data: pictures };
    this.model = model;
    this.data = data;
    this.settings = settings;
    this.mends = options.mend ?? true;
    this.callbacks = new CallbackList(options.callbacks ?? []);
    this.averages = new Averages(model, settings.averages);
    this.watch = new LossWatch(chanceOf(data.train.labels, data.classes.length));
  }

  /** What a state is taken of. */
  get parts() {
    return { model: this.model, optimizer: this.settings.optimizer, averages: this.averages };
  }

  /** Nothing has been done, in this sitting or before. */
  get isNew(): boolean {
    return this.position === start;
  }

  /** After the last epoch, or where a callback ended it. */
  get isOver(): boolean {
    return this.position.epoch >= this.settings.options.epochs || this.position.stopped !== undefined;
  }

  /** A callback wants no further step. */
  get mustStop(): boolean {
    const { stopping, step } = this.position;
    return stopping !== undefined && step >= stopping.after;
  }

  /** The clock goes on where the last sitting left it. */
  startClock(): void {
    this.startedAt = performance.now() - 1000 * this.position.seconds;
  }

  /** Of all sittings together. */
  seconds(): number {
    return Math.round(performance.now() - this.startedAt) / 1000;
  }

  /** Writes a trouble down. */
  note(what: Pick<TroubleRecord, 'trouble' | 'backTo' | 'message' | 'rateScale' | 'microBatch'>): TroubleRecord {
    const { step, epoch, troubles } = this.position;
    const { trouble, backTo, message, rateScale, microBatch } = what;
    const size = microBatch === undefined ? {} : { microBatch };
    const at = { step, epoch: epoch + 1, backTo };
    const record: TroubleRecord = {
      type: 'trouble',
      trouble,
      ...at,
      message,
      rateScale,
      ...size,
      seconds: this.seconds(),
    };
    this.position = { ...this.position, troubles: [...troubles, record] };
    this.folder?.append(record);
    return record;
  }

  /** Tells the callbacks and the caller. */
  async tell(trouble: TroubleRecord): Promise<void> {
    await this.callbacks.trouble(trouble);
    await this.settings.options.onTrouble?.(trouble);
  }
}
