/** What a flow yields beside its pictures, by Keras's class modes. */
import * as tf from '@tensorflow/tfjs-core';
import { DataError } from '../data/errors.ts';

/**
 * - `categorical`: one-hot, [batch, classes], for `categoricalCrossentropy`;
 * - `binary`: 0 or 1, [batch, 1], for `binaryCrossentropy` (Keras gives [batch]; TF.js needs the model's own shape);
 * - `sparse`: class indices, [batch], for `sparseCategoricalCrossentropy`;
 * - `input`: the pictures themselves, for autoencoders;
 * - null: none, for prediction.
 */
export type ClassMode = 'categorical' | 'binary' | 'sparse' | 'input' | null;

/** What belongs to each sample. */
export type Targets =
  | { readonly kind: 'oneHot'; readonly labels: Int32Array; readonly classes: number }
  /** A row of numbers for each sample; `shape` is one row's, [] for a number. */
  | { readonly kind: 'rows'; readonly values: Float32Array; readonly shape: readonly number[] }
  | { readonly kind: 'several'; readonly each: readonly Targets[] }
  | { readonly kind: 'input' }
  | { readonly kind: 'none' };

export type TargetTensor = tf.Tensor | tf.Tensor[] | undefined;

/** The targets of some samples as a tensor. */
export function targetTensor(targets: Targets, indices: Int32Array, images: tf.Tensor4D): TargetTensor {
  switch (targets.kind) {
    case 'none':
      return undefined;
    case 'input':
      return images.clone();
    case 'several':
      return targets.each.map((part) => targetTensor(part, indices, images) as tf.Tensor);
    case 'oneHot': {
      const values = new Float32Array(indices.length * targets.classes);
      indices.forEach((index, i) => {
        values[i * targets.classes + targets.labels[index]] = 1;
      });
      return tf.tensor2d(values, [indices.length, targets.classes]);
    }
    case 'rows': {
      const width = targets.shape.reduce((a, b) => a * b, 1);
      const values = new Float32Array(indices.length * width);
      indices.forEach((index, i) => {
        values.set(targets.values.subarray(index * width, (index + 1) * width), i * width);
      });
      return tf.tensor(values, [indices.length, ...targets.shape]);
    }
    default:
      return targets satisfies never;
  }
}

/** The targets of samples with one class each. */
export function classTargets(mode: ClassMode, labels: Int32Array, classes: number): Targets {
  switch (mode) {
    case 'categorical':
      return { kind: 'oneHot', labels, classes };
    case 'binary':
      return { kind: 'rows', values: Float32Array.from(labels), shape: [1] };
    case 'sparse':
      return { kind: 'rows', values: Float32Array.from(labels), shape: [] };
    case 'input':
      return { kind: 'input' };
    case null:
      return { kind: 'none' };
    default:
      return mode satisfies never;
  }
}

/** Only some samples, in the given order. */
export function selectTargets(targets: Targets, rows: Int32Array): Targets {
  switch (targets.kind) {
    case 'oneHot':
      return { ...targets, labels: rows.map((row) => targets.labels[row]) };
    case 'rows': {
      const width = targets.shape.reduce((a, b) => a * b, 1);
      const values = new Float32Array(rows.length * width);
      rows.forEach((row, i) => {
        values.set(targets.values.subarray(row * width, (row + 1) * width), i * width);
      });
      return { ...targets, values };
    }
    case 'several':
      return { kind: 'several', each: targets.each.map((part) => selectTargets(part, rows)) };
    default:
      return targets;
  }
}

/** @throws DataError for `binary` with another number of classes */
export function mustBeTwo(classMode: string | null, classes: readonly string[]): void {
  if (classMode === 'binary' && classes.length !== 2) {
    throw new DataError(
      `classMode 'binary' needs 2 classes, found ${classes.length}: ${classes.slice(0, 5).join(', ')}`,
    );
  }
}
