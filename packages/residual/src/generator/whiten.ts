/** ZCA whitening (A. Bell and T. Sejnowski, "The independent components of natural scenes are edge filters", 1997):
 *  the one rotation back to pictures that makes all their values uncorrelated, each of variance 1. */
import * as tf from '@tensorflow/tfjs-core';
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import type { ImageShape } from '../data/dataset.ts';

/** Symmetric, D × D for D values of a picture. */
export interface Whitening {
  readonly matrix: Float32Array;
  readonly size: number;
}

/** Singular values below this part of the largest are rounding errors of the eigenvalues that they are roots of. */
const NULL_SPACE = 1e-7;

/**
 * Keras's matrix: with X = V S Uᵀ, the centred pictures as rows, U · diag(√n / (S + ε)) · Uᵀ. Directions in which the
 * pictures do not vary at all are left out (Keras blows them up by √n / ε). Takes of the order of n · D · min(n, D)
 * steps on the calling thread: seconds for 28 × 28, minutes for 32 × 32 × 3.
 *
 * @param images n × size, centred
 */
export function whiteningOf(images: Float32Array, size: number, epsilon: number): Whitening {
  const n = images.length / size;
  // The smaller of XᵀX (its eigenvectors are U) and XXᵀ (whose eigenvectors V give U = Xᵀ V / S).
  const few = n < size;
  const gram = few ? products(images, n, size) : products(transposed(images, n, size), size, n);
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(gram, { assumeSymmetric: true });
  const largest = Math.sqrt(Math.max(...realEigenvalues, 0));
  const sum = new Float64Array(size * size);
  for (let k = 0; k < realEigenvalues.length; k++) {
    const singular = Math.sqrt(Math.max(realEigenvalues[k], 0));
    if (singular <= NULL_SPACE * largest) continue;
    const vector = Float64Array.from(eigenvectorMatrix.getColumn(k));
    const u = few ? combination(images, vector, size, 1 / singular) : vector;
    addOuter(sum, u, Math.sqrt(n) / (singular + epsilon));
  }
  for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) sum[i * size + j] = sum[j * size + i];
  return { matrix: Float32Array.from(sum), size };
}

/** Whitens a batch, [n, height, width, channels], on the current backend; the argument stays the caller's. */
export function whiten(images: tf.Tensor4D, { matrix, size }: Whitening): tf.Tensor4D {
  return tf.tidy(() => {
    const flat = tf.reshape(images, [-1, size]);
    return tf.reshape(tf.matMul(flat, tf.tensor2d(matrix, [size, size])), images.shape);
  });
}

/** How many values a picture has. */
export function valuesOf(shape: ImageShape): number {
  return shape[0] * shape[1] * shape[2];
}

/** Every row of a matrix times every other. */
function products(rows: ArrayLike<number>, count: number, length: number): Matrix {
  const result = new Matrix(count, count);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      const [a, b] = [i * length, j * length];
      for (let k = 0; k < length; k++) sum += rows[a + k] * rows[b + k];
      result.set(i, j, sum);
      result.set(j, i, sum);
    }
  }
  return result;
}

function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) result[j * rows + i] = values[i * columns + j];
  return result;
}

/** Xᵀ v · scale */
function combination(images: Float32Array, v: Float64Array, size: number, scale: number): Float64Array {
  const result = new Float64Array(size);
  for (let i = 0; i < v.length; i++) for (let j = 0; j < size; j++) result[j] += images[i * size + j] * v[i] * scale;
  return result;
}

/** sum += u uᵀ · scale, above the diagonal and on it */
function addOuter(sum: Float64Array, u: Float64Array, scale: number): void {
  const size = u.length;
  for (let i = 0; i < size; i++) {
    const ui = u[i] * scale;
    for (let j = i; j < size; j++) sum[i * size + j] += ui * u[j];
  }
}
