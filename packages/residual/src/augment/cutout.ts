/** Cutout: a square of the picture is painted over, so that no single detail is enough to know it by.
 *  "Improved regularization of convolutional neural networks with cutout" (DeVries and Taylor, 2017). */
import { between, type Fill, fillValue, whole } from './limits.ts';
import { paint } from './operations.ts';
import type { Plan } from './transform.ts';

export interface Cutout {
  readonly name: 'cutout';
  readonly size: number;
  readonly holes: number;
  readonly fill: Fill;
  readonly probability: number;
}

/**
 * @param options.size of the square's side in pixels; its middle is anywhere in the picture, so that part of it may lie
 *   outside. Default 16, for CIFAR-10; 8 for CIFAR-100, 112 for 224 × 224
 * @param options.holes how many squares. Default 1
 * @param options.fill `mean`, the colour that normalisation makes 0, or a value from 0 to 255. Default `mean`
 * @param options.probability that a picture has holes. Default 1
 * @throws DataError for values out of range
 */
export function cutout(
  options: {
    readonly size?: number;
    readonly holes?: number;
    readonly fill?: Fill;
    readonly probability?: number;
  } = {},
): Cutout {
  const { size = 16, holes = 1, fill = 'mean', probability = 1 } = options;
  return {
    name: 'cutout',
    size: whole('cutout', 'size', size, 1),
    holes: whole('cutout', 'holes', holes, 1, 1000),
    fill: fillValue('cutout', 'fill', fill),
    probability: between('cutout', 'probability', probability, 0, 1),
  };
}

export function planCutout({ size, holes, fill, probability }: Cutout): Plan {
  return ({ height, width }, random, { mean }) => {
    if (!random.boolean(probability)) return [];
    const half = Math.floor(size / 2);
    const boxes = Array.from({ length: holes }, () => {
      const top = random.integer(height) - half;
      const left = random.integer(width) - half;
      return { top, left, bottom: top + size, right: left + size };
    });
    return [
      {
        kind: 'patch',
        patch: (data, picture) => {
          for (const box of boxes) paint(data, picture, box, fill, mean);
        },
      },
    ];
  };
}
