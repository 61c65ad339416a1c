/** Everything a run needs to go on, out of a model and its optimizer and back into them, bit for bit.
 *  The order of the data needs no state: it is a function of seed, epoch and position (data/batches.ts). */

import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { ModelError } from '../models/errors.ts';
import type { Averages } from './averages.ts';
import type { CallbackStates } from './callbacks/callback.ts';
import { type NamedArray, readCheckpointFile, writeCheckpointFile } from './checkpoint-file.ts';
import type { EpochRecord, TroubleRecord } from './history.ts';
import type { WatchState } from './trouble/loss-watch.ts';

/** Where a run stands. */
export interface Position {
  /** Updates made. */
  readonly step: number;
  /** Of the last of them. */
  readonly learningRate: number;
  /** Epochs completed. */
  readonly epoch: number;
  /** Batches learned in the epoch under way. */
  readonly batch: number;
  /** Sums over the epoch under way. */
  readonly sums: { readonly loss: number; readonly correct: number; readonly images: number };
  /** Time spent, all sittings together. */
  readonly seconds: number;
  /** The epochs completed. */
  readonly epochs: readonly EpochRecord[];
  /** The factor on the learning rate; below 1 after a recovery from divergence. */
  readonly rateScale: number;
  /** Images that are computed at once, where a whole batch does not fit into memory. */
  readonly microBatch?: number;
  /** What went wrong so far, and was mended. */
  readonly troubles: readonly TroubleRecord[];
  /** A callback wants the run to end after this step. */
  readonly stopping?: { readonly after: number; readonly reason: string };
  /** Why the run ended before its last epoch. */
  readonly stopped?: string;
}

/** What a run's state is taken of. */
export interface StatefulParts {
  readonly model: LayersModel;
  readonly optimizer: tf.Optimizer;
  /** Slow copies of the weights. */
  readonly averages?: Averages;
}

/** Model, optimizer and averages as arrays on the host. */
export type RunState = readonly NamedArray[];

/** What a checkpoint says beside its arrays; callbacks and the watch keep JSON of their own making in it. */
export interface CheckpointMeta {
  readonly position: Position;
  readonly historyBytes: number;
  readonly fingerprint: Fingerprint;
  /** The states of callbacks, by name. */
  readonly callbacks?: CallbackStates;
  /** What the watch over the loss remembers. */
  readonly watch?: WatchState;
  /** Steps of the good states that lie beside this file. */
  readonly good?: readonly number[];
}

/** What must be the same for a run to go on: options by name, as text. */
export type Fingerprint = Readonly<Record<string, string>>;

const WEIGHT = 'weight:';
const OPTIMIZER = 'optimizer:';
const AVERAGE = 'average:';

/** Copies model, optimizer and averages to the host, under names that are the same in every process. */
export async function captureState({ model, optimizer, averages }: StatefulParts): Promise<RunState> {
  const slots = await optimizer.getWeights();
  const names = stableNames(model);
  const copies = averages?.getWeights() ?? [];
  const tensors = [
    ...slots.map(({ name, tensor }) => ({ name: OPTIMIZER + names.toStable(name), tensor })),
    ...copies.map(({ name, tensor }) => ({ name: AVERAGE + name, tensor })),
  ];
  const arrays = await Promise.all(tensors.map(({ name, tensor }) => arrayOf(name, tensor)));
  // Those that are no variables were made for us.
  for (const { tensor } of tensors) if (!(tensor instanceof tf.Variable)) tensor.dispose();
  return [...(await captureWeights(model)), ...arrays];
}

/** Copies the weights alone, moving averages included. */
export function captureWeights(model: LayersModel): Promise<RunState> {
  return Promise.all(model.weights.map((weight) => arrayOf(WEIGHT + weight.originalName, weight.read() as tf.Tensor)));
}

/**
 * Puts a captured state into the model, the optimizer and the averages.
 *
 * @param from Where it comes from, for messages.
 * @throws ModelError where a weight or an average is missing
 */
export async function applyState({
  model,
  optimizer,
  averages,
  state,
  from,
}: StatefulParts & { readonly state: RunState; readonly from: string }): Promise<void> {
  applyWeights(model, state, from);
  const names = stableNames(model);
  const slots = tensorsOf(state, OPTIMIZER).map(({ name, tensor }) => ({ name: names.toCurrent(name), tensor }));
  const copies = tensorsOf(state, AVERAGE);
  try {
    await optimizer.setWeights(slots);
    await averages?.setWeights(copies);
  } finally {
    for (const { tensor } of [...slots, ...copies]) tensor.dispose();
  }
}

/** The arrays with this prefix, which the names lose. */
function tensorsOf(state: RunState, prefix: string) {
  return state
    .filter(({ name }) => name.startsWith(prefix))
    .map((array) => ({ name: array.name.slice(prefix.length), tensor: tensorOf(array) }));
}

/** The same for the weights alone. */
export function applyWeights(model: LayersModel, state: RunState, from: string): void {
  const arrays = new Map(state.map((array) => [array.name, array]));
  for (const weight of model.weights) {
    const array = arrays.get(WEIGHT + weight.originalName);
    if (!array) throw new ModelError(`cannot go on from ${from}: it has no weight ${weight.originalName}`);
    const value = tensorOf(array);
    weight.write(value as tf.Variable);
    value.dispose();
  }
}

/** False where any value is NaN or infinite: such a state is worth nothing. */
export function isFiniteState(state: RunState): boolean {
  // One sum per array: it is not finite where any of its values is not; a sum of float32s cannot overflow a double.
  return state.every(({ values }) => Number.isFinite((values as Float32Array).reduce((sum, value) => sum + value, 0)));
}

/** Writes a state and what is said of it into `file`, aside and renamed. */
export async function saveCheckpoint(file: string, state: RunState, meta: CheckpointMeta): Promise<void> {
  await writeCheckpointFile(file, meta, state);
}

/**
 * Reads a checkpoint.
 *
 * @param fingerprint Of the run that wants to go on.
 * @returns undefined where there is no checkpoint.
 * @throws ModelError where the fingerprints differ, naming the first option that does, or the file is damaged
 */
export async function readCheckpoint(
  file: string,
  fingerprint: Fingerprint,
): Promise<{ readonly meta: CheckpointMeta; readonly state: RunState } | undefined> {
  const stored = await readCheckpointFile(file);
  if (!stored) return undefined;
  const meta = stored.meta as CheckpointMeta;
  for (const option of new Set([...Object.keys(fingerprint), ...Object.keys(meta.fingerprint)])) {
    const [then, value] = [meta.fingerprint[option], fingerprint[option]];
    if (then !== value) {
      throw new ModelError(
        `cannot go on from ${file}: ${option} was ${then ?? 'not given'} in that run and is ${value ?? 'not given'} now; ` +
          'give the same options, or another directory',
      );
    }
  }
  return { meta, state: [...stored.arrays.values()] };
}

/**
 * TF.js makes the names of variables unique within a process (`conv1/kernel_1` for a second model), so slots are stored
 * under the names that the weights have in the model.
 */
function stableNames(model: LayersModel) {
  const stable = new Map(model.weights.map((weight) => [weight.name, weight.originalName]));
  const current = new Map(model.weights.map((weight) => [weight.originalName, weight.name]));
  const translate = (names: ReadonlyMap<string, string>) => (slot: string) => {
    const end = slot.lastIndexOf('/');
    const name = names.get(slot.slice(0, end));
    return name === undefined ? slot : name + slot.slice(end);
  };
  return { toStable: translate(stable), toCurrent: translate(current) };
}

async function arrayOf(name: string, tensor: tf.Tensor): Promise<NamedArray> {
  const { dtype, shape } = tensor;
  if (dtype !== 'float32' && dtype !== 'int32') {
    throw new ModelError(`checkpoint: ${name} must be of float32 or int32, is of ${dtype}`);
  }
  return { name, shape, values: (await tensor.data()) as Float32Array | Int32Array };
}

function tensorOf({ shape, values }: NamedArray): tf.Tensor {
  return tf.tensor(values, [...shape], values instanceof Float32Array ? 'float32' : 'int32');
}
