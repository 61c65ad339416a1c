/** What a callback is: something that watches a run, may keep state that survives kill and resume, and may end it.
 *  Early stopping, logs and event files are callbacks; so is whatever a user writes. */

import type * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { ImageShape } from '../../data/dataset.ts';
import type { ModelInfo } from '../../models/info.ts';
import type { TroubleRecord } from '../history.ts';
import type { EpochEvent, StepEvent } from '../options.ts';

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** The states of a run's callbacks, by name. */
export type CallbackStates = Readonly<Record<string, Json>>;

/** The run that a callback takes part in. */
export interface CallbackRun {
  readonly model: LayersModel;
  readonly optimizer: tf.Optimizer;
  /** Undefined under plain `model.fit`. */
  readonly info: ModelInfo | undefined;
  /** The run's folder, where it has one. */
  readonly directory: string | undefined;
  readonly epochs: number;
  /** Steps done before this sitting. */
  readonly step: number;
  /** The first training images as the network sees them, augmented, as bytes; undefined under plain `model.fit`. */
  readonly samples: ((count: number) => Promise<SampleImages>) | undefined;
  /** Ends the run: after `onEpoch` at once, after `onStep` with the next step. The model is kept as in any other end. */
  stop(reason: string): void;
}

export interface SampleImages {
  /** Bytes 0–255, count × height × width × channels. */
  readonly pixels: Uint8Array;
  readonly shape: ImageShape;
  readonly count: number;
}

/** How a sitting ended. */
export type Outcome = 'done' | 'stopped' | 'interrupted' | 'failed';

/**
 * Hooks of a run, all optional; promises are waited for.
 *
 * What must survive a resume goes into `getState`: it is asked for at every checkpoint and good state, and `setState`
 * gets it back before `onTrainBegin` of a resumed run, and in the middle of a run that goes back after a divergence.
 * A log cuts its file there to where it was, so that no row is lost or doubled.
 *
 * @example
 * const patience: Callback = { name: 'my-hook', onEpoch: ({ epoch, loss }) => console.log(epoch, loss) };
 * await train(model, data, { epochs: 9, callbacks: [patience] });
 */
export interface Callback {
  /** Names its state in the checkpoint: no two of a run may have the same. */
  readonly name: string;
  /** True where its state is not set back when training goes back. Default false. */
  readonly staysOnSetback?: boolean;
  getState?(): Json;
  setState?(state: Json): void;
  onTrainBegin?(run: CallbackRun): void | Promise<void>;
  /**
   * Before each step, when all updates before it are made: on every path of a run it sees the same weights, and may change
   * them. Reading them costs the overlap of two steps.
   */
  beforeStep?(run: CallbackRun): void | Promise<void>;
  onStep?(event: StepEvent, run: CallbackRun): void | Promise<void>;
  /** After the validation; before the checkpoint, so that its state counts this epoch. */
  onEpoch?(event: EpochEvent, run: CallbackRun): void | Promise<void>;
  /** While the validation set is evaluated. */
  onValidation?(done: number, total: number): void;
  /** After a trouble was mended. */
  onTrouble?(event: TroubleRecord, run: CallbackRun): void | Promise<void>;
  /** At every end, also of a sitting that failed. The model may be changed here: it is saved afterwards. */
  onTrainEnd?(outcome: Outcome, run: CallbackRun): void | Promise<void>;
}
