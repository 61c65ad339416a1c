/** Looks at the first images as the network would see them: values of 0–255 where about ±3 are due never converge.
 *  Runs before the first step; where the normalisation is at fault it is put right. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Transform } from '../../augment/transform.ts';
import { batches } from '../../data/batches.ts';
import type { Dataset, Normalization } from '../../data/dataset.ts';
import { meanAndStd } from '../../data/statistics.ts';
import { ModelError } from '../../models/errors.ts';

/** Images that are looked at. */
const LOOKED_AT = 32;
/** Normalised pixels deviate by 1, pixels from 0 to 1 by about 0.25, bytes by about 70; both limits are far from those. */
const MOST_DEVIATION = 10;
const LEAST_DEVIATION = 0.01;

interface Range {
  readonly low: number;
  readonly high: number;
  readonly deviation: number;
}

export interface CheckedInputs {
  readonly normalize: Normalization;
  /** What was wrong and is put right; undefined where nothing was. */
  readonly message?: string;
}

/**
 * Checks the range of the first training images after normalisation, and after the model's own first layer where that
 * is a rescaling.
 *
 * @throws ModelError where the range is wrong and no normalisation of ours puts it right, or a value is not finite
 */
export async function checkInputs(
  model: LayersModel,
  dataset: Dataset,
  normalize: Normalization,
  options: { readonly transforms: readonly Transform[]; readonly seed: number; readonly workers: number },
): Promise<CheckedInputs> {
  const { scale, offset } = rescalingOf(model);
  const look = async (candidate: Normalization): Promise<Range> => {
    const request = { ...options, batchSize: Math.min(LOOKED_AT, dataset.size), shuffle: true, normalize: candidate };
    for await (const { images } of batches(dataset, request)) return rangeOf(images, scale, offset);
    throw new ModelError(`${dataset.name}: has no image to train on`);
  };
  const given = await look(normalize);
  if (fits(given)) return { normalize };
  const seen = `the network would see values from ${short(given.low)} to ${short(given.high)} (standard deviation ${short(given.deviation)}), it expects about 0 to 1 or -3 to 3`;
  for (const [candidate, what] of await candidates(dataset, normalize, scale)) {
    if (fits(await look(candidate))) {
      const { mean, std } = candidate;
      return {
        normalize: candidate,
        message: `${seen}; ${what}: mean ${mean.map(short).join(', ')}, std ${std.map(short).join(', ')}`,
      };
    }
  }
  // Pictures of one colour are no fault of the normalisation.
  if (given.deviation < LEAST_DEVIATION) return { normalize };
  throw new ModelError(`${dataset.name}: ${seen}; check what the data set and its transforms give`);
}

/** Normalisations that may have been meant, likeliest first. */
async function candidates(
  dataset: Dataset,
  { mean, std }: Normalization,
  scale: number,
): Promise<readonly (readonly [Normalization, string])[]> {
  const channels = dataset.imageShape[2];
  const bytes = { mean: Array(channels).fill(0), std: Array(channels).fill(1 / 255) };
  const divided = { mean: mean.map((m) => m / 255), std: std.map((s) => s / 255) };
  return [
    ...(scale === 1 ? [] : [[bytes, 'the model rescales bytes itself, so it is given bytes'] as const]),
    [divided, 'the normalisation was meant for bytes and is divided by 255'],
    [await meanAndStd(dataset), 'the normalisation is replaced by that of the training images'],
  ];
}

function fits({ deviation }: Range): boolean {
  return deviation >= LEAST_DEVIATION && deviation <= MOST_DEVIATION;
}

function rangeOf(images: Float32Array, scale: number, offset: number): Range {
  let [low, high, sum, squares] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (const image of images) {
    const value = image * scale + offset;
    if (!Number.isFinite(value)) throw new ModelError(`a training image holds the value ${value}`);
    low = Math.min(low, value);
    high = Math.max(high, value);
    sum += value;
    squares += value * value;
  }
  const mean = sum / images.length;
  return { low, high, deviation: Math.sqrt(Math.max(0, squares / images.length - mean * mean)) };
}

/** Of a Rescaling layer at the model's beginning. */
function rescalingOf(model: LayersModel): { readonly scale: number; readonly offset: number } {
  const first = model.layers.find((layer) => layer.getClassName() !== 'InputLayer');
  if (first?.getClassName() !== 'Rescaling') return { scale: 1, offset: 0 };
  const { scale = 1, offset = 0 } = first.getConfig() as { scale?: number; offset?: number };
  return { scale, offset };
}

function short(value: number): string {
  return Number(value.toPrecision(3)).toString();
}
