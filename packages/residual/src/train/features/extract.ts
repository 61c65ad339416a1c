/** The features of every picture of a data set, computed once: by a trunk that does not change, batch by batch.
 *  With a folder they are kept there, and a computation that was interrupted goes on where it was. */

import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { type Batch, batches } from '../../data/batches.ts';
import type { Dataset, Normalization } from '../../data/dataset.ts';
import { ModelError } from '../../models/errors.ts';
import { features } from '../../models/transfer/head.ts';
import { FeatureFile, type FeatureRows } from './feature-file.ts';
import { type FeatureSettings, featureKey } from './feature-key.ts';

export interface ExtractOptions {
  /** The mean and std that the model was trained with (a model's `info.preprocessing` serves). */
  readonly preprocessing: Normalization;
  /** Default 64. */
  readonly batchSize?: number;
  /** Threads that decode. Default 1. */
  readonly workers?: number;
  /** Where to keep them: a file of 4 bytes × pictures × (features + 1). Default: in memory only. */
  readonly directory?: string;
  /** Stops between two batches, with the signal's reason as the error; what is in `directory` stays. */
  readonly signal?: AbortSignal;
  /** After each batch, in pictures. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Features of the readable pictures of a data set. */
export interface Features {
  /** Pictures × dims, row-major. */
  readonly values: Float32Array;
  readonly dims: number;
  /** The sample of each row, and its class. */
  readonly indices: Int32Array;
  readonly labels: Int32Array;
}

/**
 * Computes what a classifier's head sees of each picture, in inference mode and in the data set's order.
 *
 * @throws ModelError for a model that does not end in a dense layer; DataError, WriteError
 * @example const { values, dims } = await extractFeatures(model, photos.train, { preprocessing: info.preprocessing });
 */
export async function extractFeatures(
  model: LayersModel,
  dataset: Dataset,
  { preprocessing: { mean, std }, batchSize = 64, ...options }: ExtractOptions,
): Promise<Features> {
  const settings = { normalize: { mean, std }, batchSize, training: false, transforms: [], views: 1, seed: 0 };
  const { values, samples, dims } = await featureTable(model, dataset, settings, { ...options, corrupt: 'drop' });
  const there = Array.from(samples.keys()).filter((row) => (samples[row] ?? -1) >= 0);
  if (there.length === 0) throw new ModelError(`${dataset.name}: has no image to look at`);
  const kept = there.length === samples.length ? values : new Float32Array(there.length * dims);
  if (kept !== values)
    there.forEach((row, i) => void kept.set(values.subarray(row * dims, (row + 1) * dims), i * dims));
  const indices = Int32Array.from(there, (row) => samples[row] ?? 0);
  return { values: kept, dims, indices, labels: indices.map((index) => dataset.labels[index] ?? 0) };
}

/** Rows of all views, one view after the other; row i of a view is the sample i, or what stands in for it. */
export interface FeatureTable extends Omit<FeatureRows, 'ready'> {
  readonly dims: number;
  readonly views: number;
  readonly key: string;
}

export interface TableOptions extends Pick<ExtractOptions, 'workers' | 'directory' | 'signal' | 'onProgress'> {
  /** As in `batches`: another sample of its class in the place of a corrupt file, or nobody. */
  readonly corrupt: 'replace' | 'drop';
}

/** Computes, or loads, the features of each picture and view. */
export async function featureTable(
  model: LayersModel,
  dataset: Dataset,
  settings: FeatureSettings,
  options: TableOptions,
): Promise<FeatureTable> {
  const { directory, corrupt, workers = 1, signal, onProgress } = options;
  const { views, transforms, normalize, seed } = settings;
  const trunk = features(model);
  // A view's chunks are its batches: no batch holds rows of two views.
  const batchSize = Math.min(settings.batchSize, dataset.size);
  const shape = trunk.inputs[0]?.shape.slice(1) ?? [];
  if (`${shape}` !== `${dataset.imageShape}`) {
    trunk.dispose();
    throw new ModelError(
      `${dataset.name}: has images of ${dataset.imageShape.join(' x ')}, the model takes ${shape.join(' x ')}`,
    );
  }
  const dims = trunk.outputs[0]?.shape.at(-1) ?? 0;
  const { size } = dataset;
  try {
    const key = directory === undefined ? '' : await featureKey(trunk, dataset, settings);
    const layoutOf = (view: number) => ({
      key: transforms.length === 0 ? key : `${key}-${view}`,
      rows: size,
      dims,
      chunk: batchSize,
    });
    const values = new Float32Array(views * size * dims);
    const samples = new Int32Array(views * size);
    for (let view = 0; view < views; view++) {
      const file = directory === undefined ? undefined : new FeatureFile(directory, layoutOf(view));
      const stored = await file?.read();
      const ready = stored?.ready ?? 0;
      const [ownValues, ownSamples] = [
        values.subarray(view * size * dims, (view + 1) * size * dims),
        samples.subarray(view * size, (view + 1) * size),
      ];
      if (stored) {
        ownValues.set(stored.values);
        ownSamples.set(stored.samples);
      }
      ownSamples.fill(-1, ready);
      onProgress?.(view * size + ready, views * size);
      if (ready === size) continue;
      const order = {
        batchSize,
        seed,
        epoch: view,
        startBatch: ready / batchSize,
        transforms,
        normalize,
        workers,
        corrupt,
      };
      const write = (batch: Batch, rows: Float32Array) => {
        const start = batch.batch * batchSize;
        const end = Math.min(size, start + batchSize);
        batch.indices.forEach((index, i) => {
          // Where unreadable files were dropped, the others say themselves where they belong.
          const row = batch.size === end - start ? start + i : index;
          ownValues.set(rows.subarray(i * dims, (i + 1) * dims), row * dims);
          ownSamples[row] = index;
        });
        file?.write(start, ownValues.subarray(start * dims, end * dims), ownSamples.subarray(start, end));
        onProgress?.(view * size + end, views * size);
      };
      try {
        // One batch behind: while the backend computes a batch, the next is made and recorded.
        let running: { readonly batch: Batch; readonly rows: Promise<Float32Array> } | undefined;
        for await (const batch of batches(dataset, order)) {
          signal?.throwIfAborted();
          const rows = rowsOf(trunk, batch, batchSize, settings.training);
          rows.catch(() => {}); // reported when its turn comes
          if (running) write(running.batch, await running.rows);
          running = { batch, rows };
        }
        if (running) write(running.batch, await running.rows);
        file?.finish();
      } finally {
        file?.close();
      }
    }
    return { values, samples, dims, views, key };
  } finally {
    trunk.dispose();
  }
}

/** A batch is filled up to its full size: a backend that compiles would else compile once more, and may round otherwise. */
async function rowsOf(trunk: LayersModel, batch: Batch, rows: number, training: boolean): Promise<Float32Array> {
  const shape = trunk.inputs[0]?.shape.slice(1) as [number, number, number];
  const length = shape.reduce((product, n) => product * n, 1);
  let { images } = batch;
  if (batch.size < rows) {
    images = new Float32Array(rows * length);
    images.set(batch.images);
  }
  const output = tf.tidy(() => trunk.apply(tf.tensor4d(images, [rows, ...shape]), { training }) as tf.Tensor);
  try {
    return await output.data<'float32'>();
  } finally {
    output.dispose();
  }
}
