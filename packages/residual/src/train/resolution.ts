/** Progressive resizing: a run that begins with small pictures and ends with whole ones.
 *  A network that is convolutions up to its pooling takes any size, and a step costs as much as its pixels. */

import type { Batch } from '../data/batches.ts';
import type { ImageShape } from '../data/dataset.ts';
import { resizeBatch } from './resize-batch.ts';
import { checkValue } from './schedule.ts';

/** Up to (not including) a step the pictures have another size than the data's. */
export interface ResolutionStage {
  /** Steps of the run, counted from its start. */
  readonly untilStep: number;
  /** Pixels. */
  readonly size: number | readonly [height: number, width: number];
}

/** A batch as the network is shown it. */
export interface ShownBatch extends Batch {
  /** Where it is not the data's. */
  readonly imageShape?: ImageShape;
}

/** @throws ModelError for steps that do not rise, or sizes that are no whole numbers from 1 up */
export function checkStages(stages: readonly ResolutionStage[]): void {
  stages.forEach(({ untilStep, size }, i) => {
    const rises = Number.isInteger(untilStep) && untilStep >= (stages[i - 1]?.untilStep ?? 0);
    checkValue('resolution', rises, 'untilStep must rise from stage to stage', untilStep);
    const whole = [size].flat().every((side) => Number.isInteger(side) && (side as number) > 0);
    checkValue('resolution', whole, 'size must be pixels, a whole number from 1 up', size);
  });
}

/**
 * The batch at the size of its moment.
 *
 * @param step how many updates were made before this one
 */
export function atResolution(
  batch: Batch,
  shape: ImageShape,
  stages: readonly ResolutionStage[],
  step: number,
): ShownBatch {
  const stage = stages.find(({ untilStep }) => step < untilStep);
  if (!stage) return batch;
  const [height, width] = typeof stage.size === 'number' ? [stage.size, stage.size] : stage.size;
  if (height === shape[0] && width === shape[1]) return batch;
  const images = resizeBatch(batch.images, batch.size, shape, [height, width]);
  return { ...batch, images, imageShape: [height, width, shape[2]] };
}
