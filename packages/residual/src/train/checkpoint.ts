/** Everything a run needs to go on, out of a model and its optimizer and back into them, bit for bit.
 *  The order of the data needs no state: it is a function of seed, epoch and position (data/batches.ts). */

import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { ModelError } from '../models/errors.ts';
import { type NamedArray, readCheckpointFile, writeCheckpointFile } from './checkpoint-file.ts';
import type { EpochRecord } from './history.ts';

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
}

interface Meta {
  readonly position: Position;
  readonly historyBytes: number;
  readonly fingerprint: Fingerprint;
}

/** What must be the same for a run to go on: options by name, as text. */
export type Fingerprint = Readonly<Record<string, string>>;

const WEIGHT = 'weight:';
const OPTIMIZER = 'optimizer:';

/** Writes model, optimizer and position into `file`, aside and renamed. */
export async function saveCheckpoint(
  file: string,
  model: LayersModel,
  optimizer: tf.Optimizer,
  meta: Meta,
): Promise<void> {
  const weights = model.weights.map((weight) => ({ name: WEIGHT + weight.originalName, tensor: weight.read() }));
  const slots = await optimizer.getWeights();
  const [iterations] = slots;
  const names = stableNames(model);
  const state = slots.map(({ name, tensor }) => ({ name: OPTIMIZER + names.toStable(name), tensor }));
  const arrays = await Promise.all(
    [...weights, ...state].map(({ name, tensor }) => arrayOf(name, tensor as tf.Tensor)),
  );
  iterations?.tensor.dispose(); // made for us; the others are the optimizer's own
  await writeCheckpointFile(file, meta, arrays);
}

/**
 * Puts a checkpoint's values into the model and the optimizer.
 *
 * @param fingerprint Of the run that wants to go on.
 * @returns Where it stands and how long its history was; undefined where there is no checkpoint.
 * @throws ModelError where the fingerprints differ, naming the first option that does, or the file is damaged
 */
export async function restoreCheckpoint(
  file: string,
  model: LayersModel,
  optimizer: tf.Optimizer,
  fingerprint: Fingerprint,
): Promise<Pick<Meta, 'position' | 'historyBytes'> | undefined> {
  const stored = await readCheckpointFile(file);
  if (!stored) return undefined;
  const meta = stored.meta as Meta;
  for (const [option, value] of Object.entries(fingerprint)) {
    const then = meta.fingerprint[option];
    if (then !== value) {
      throw new ModelError(
        `cannot go on from ${file}: ${option} was ${then} in that run and is ${value} now; ` +
          'give the same options, or another directory',
      );
    }
  }
  for (const weight of model.weights) {
    const array = stored.arrays.get(WEIGHT + weight.originalName);
    if (!array) throw new ModelError(`cannot go on from ${file}: it has no weight ${weight.originalName}`);
    const value = tensorOf(array);
    weight.write(value as tf.Variable);
    value.dispose();
  }
  const names = stableNames(model);
  const slots = [...stored.arrays.values()]
    .filter(({ name }) => name.startsWith(OPTIMIZER))
    .map((array) => ({ name: names.toCurrent(array.name.slice(OPTIMIZER.length)), tensor: tensorOf(array) }));
  await optimizer.setWeights(slots);
  for (const { tensor } of slots) tensor.dispose();
  return { position: meta.position, historyBytes: meta.historyBytes };
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
