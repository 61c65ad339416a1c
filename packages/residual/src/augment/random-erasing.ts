/** Random erasing: a rectangle of random area and shape is painted over, with one colour or with noise.
 *  "Random erasing data augmentation" (Zhong et al., 2017); the defaults are torchvision's. */
import { between, type Fill, fillValue, range } from './limits.ts';
import { paint, scatter } from './operations.ts';
import type { Plan } from './transform.ts';

export interface RandomErasing {
  readonly name: 'randomErasing';
  readonly probability: number;
  readonly scale: readonly [least: number, most: number];
  readonly ratio: readonly [least: number, most: number];
  readonly fill: Fill | 'noise';
}

/** How often a rectangle is drawn before the picture is left as it is. */
const ATTEMPTS = 10;

/**
 * @param options.probability that a picture is changed. Default 0.5
 * @param options.scale the rectangle's area as a part of the picture's. Default 0.02 to 0.33
 * @param options.ratio its height divided by its width, drawn evenly in its logarithm. Default 0.3 to 3.3
 * @param options.fill `mean`, the colour that normalisation makes 0; a value from 0 to 255; or `noise`, random bytes.
 *   Default `mean`
 * @throws DataError for values out of range
 */
export function randomErasing(
  options: {
    readonly probability?: number;
    readonly scale?: readonly [number, number];
    readonly ratio?: readonly [number, number];
    readonly fill?: Fill | 'noise';
  } = {},
): RandomErasing {
  const { probability = 0.5, scale = [0.02, 0.33], ratio = [0.3, 3.3], fill = 'mean' } = options;
  const name = 'randomErasing';
  return {
    name,
    probability: between(name, 'probability', probability, 0, 1),
    scale: range(name, 'scale', scale, 1e-4, 1),
    ratio: range(name, 'ratio', ratio, 0.01, 100),
    fill: fillValue<'mean' | 'noise'>(name, 'fill', fill, ['mean', 'noise']),
  };
}

export function planRandomErasing({ probability, scale, ratio, fill }: RandomErasing): Plan {
  const [low, high] = ratio.map(Math.log);
  return ({ height, width }, random, { mean }) => {
    if (!random.boolean(probability)) return [];
    for (let i = 0; i < ATTEMPTS; i++) {
      const area = height * width * random.uniform(...scale);
      const aspect = Math.exp(random.uniform(low, high));
      const [h, w] = [Math.round(Math.sqrt(area * aspect)), Math.round(Math.sqrt(area / aspect))];
      if (h < 1 || w < 1 || h > height || w > width) continue;
      const [top, left] = [random.integer(height - h + 1), random.integer(width - w + 1)];
      const box = { top, left, bottom: top + h, right: left + w };
      return [
        {
          kind: 'patch',
          patch: (data, picture) => {
            if (fill === 'noise') scatter(data, picture, box, random);
            else paint(data, picture, box, fill, mean);
          },
        },
      ];
    }
    return [];
  };
}
