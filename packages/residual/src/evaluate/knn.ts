/** How good features are without training anything on them: each picture is called what its nearest neighbours are.
 *  Products on the backend, the search on the host. */

import * as tf from '@tensorflow/tfjs-core';
import { ModelError } from '../models/errors.ts';
import type { Features } from '../train/features/extract.ts';
import type { Predicted } from './scores.ts';

export interface KnnOptions {
  /** Neighbours that vote. Default 20, or all where there are fewer. */
  readonly k?: number;
  /** A neighbour votes with exp(cosine / temperature). Default 0.07, as in DINO. */
  readonly temperature?: number;
  /** Number of classes. Default: one more than the largest label of `known`. */
  readonly classes?: number;
}

/** Pictures whose neighbours are looked for at once. */
const BLOCK = 128;

/**
 * Weighted k-nearest-neighbour classification by cosine similarity (Z. Wu et al., arXiv 1805.01978; k and temperature as
 * in M. Caron et al., arXiv 2104.14294).
 *
 * @param known features of pictures whose labels may be used: of the training set
 * @param asked features of the pictures to be classified
 * @returns each class's share of the votes, for `scoresOf`; rows in the order of `asked`
 * @throws ModelError for impossible options, or features of different sizes
 * @example const { accuracy } = scoresOf(await knn(await extractFeatures(model, data.train, options), test));
 */
export async function knn(known: Features, asked: Features, options: KnnOptions = {}): Promise<Predicted> {
  const { k = 20, temperature = 0.07, classes = 1 + known.labels.reduce((a, b) => Math.max(a, b), 0) } = options;
  const check = (ok: boolean, rule: string, value: unknown) => {
    if (!ok) throw new ModelError(`knn: ${rule}, received ${value}`);
  };
  check(Number.isInteger(k) && k > 0, 'k must be a whole number from 1 up', k);
  check(temperature > 0, 'temperature must be greater than 0', temperature);
  check(known.dims === asked.dims, `features must be of the known ones' ${known.dims} values`, asked.dims);
  const [rows, size, { dims }] = [asked.labels.length, known.labels.length, known];
  const probabilities = new Float64Array(rows * classes);
  const voters = Math.min(k, size);
  const all = tf.tensor2d(normalised(known), [size, dims]);
  const vectors = normalised(asked);
  try {
    for (let start = 0; start < rows; start += BLOCK) {
      const count = Math.min(BLOCK, rows - start);
      // Always a full block: one program serves all.
      const block = new Float32Array(BLOCK * dims);
      block.set(vectors.subarray(start * dims, (start + count) * dims));
      const product = tf.tidy(() => tf.matMul(tf.tensor2d(block, [BLOCK, dims]), all, false, true));
      const cosines = await product.data<'float32'>();
      product.dispose();
      for (let i = 0; i < count; i++) {
        const row = cosines.subarray(i * size, (i + 1) * size);
        const nearest = largest(row, voters);
        const votes = nearest.map((one) => Math.exp(((row[one] ?? 0) - 1) / temperature));
        const sum = votes.reduce((a, b) => a + b, 0);
        nearest.forEach((one, n) => {
          const place = (start + i) * classes + (known.labels[one] ?? 0);
          probabilities[place] = (probabilities[place] ?? 0) + (votes[n] ?? 0) / sum;
        });
      }
    }
  } finally {
    all.dispose();
  }
  return { probabilities, labels: asked.labels, classes };
}

/** Rows of length 1; one of zeros stays as it is. */
function normalised({ values, dims }: Features): Float32Array {
  const unit = new Float32Array(values.length);
  for (let start = 0; start < values.length; start += dims) {
    let squares = 0;
    for (let i = start; i < start + dims; i++) squares += (values[i] as number) ** 2;
    const scale = squares === 0 ? 0 : 1 / Math.sqrt(squares);
    for (let i = start; i < start + dims; i++) unit[i] = (values[i] as number) * scale;
  }
  return unit;
}

/** The places of the `count` largest values; of equals those that stand first. */
function largest(values: Float32Array, count: number): number[] {
  const kept: number[] = [];
  let least = Number.NEGATIVE_INFINITY;
  values.forEach((value, i) => {
    if (kept.length === count && value <= least) return;
    let at = kept.length;
    while (at > 0 && (values[kept[at - 1] as number] as number) < value) at--;
    kept.splice(at, 0, i);
    if (kept.length > count) kept.pop();
    least = values[kept.at(-1) as number] as number;
  });
  return kept;
}
