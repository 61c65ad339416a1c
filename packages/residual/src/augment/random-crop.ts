/** Random crop with padding: the picture moves by up to `padding` pixels each way, its size unchanged.
 *  The standard augmentation of CIFAR since "Deeply-supervised nets" (Lee et al., 2014), with padding 4. */
import { DataError } from '../data/errors.ts';
import { translate } from './affine.ts';
import { choice, whole } from './limits.ts';
import type { Plan } from './transform.ts';

export interface RandomCrop {
  readonly name: 'randomCrop';
  readonly padding: number;
  readonly fill: 'zero' | 'reflect';
}

/**
 * @param options.padding the largest shift in pixels, each way and each direction. Default 4
 * @param options.fill what comes in at the edges: `zero` (black), or `reflect` (the picture mirrored, without
 *   repeating its edge: `dcb|abcd|cba`). Default `zero`
 * @throws DataError for a padding that is not a whole number from 0 up, or an unknown fill
 */
export function randomCrop(
  options: { readonly padding?: number; readonly fill?: 'zero' | 'reflect' } = {},
): RandomCrop {
  const { padding = 4, fill = 'zero' } = options;
  return {
    name: 'randomCrop',
    padding: whole('randomCrop', 'padding', padding, 0),
    fill: choice('randomCrop', 'fill', fill, ['zero', 'reflect']),
  };
}

export function planRandomCrop({ padding, fill }: RandomCrop): Plan {
  return ({ height, width, channels }, random) => {
    const dy = random.integer(2 * padding + 1) - padding;
    const dx = random.integer(2 * padding + 1) - padding;
    if (dy === 0 && dx === 0) return [];
    if (fill === 'reflect' && padding >= Math.min(height, width)) {
      throw new DataError(
        `randomCrop: reflect padding of ${padding} needs a picture larger than that, received ${height} x ${width}`,
      );
    }
    const edge = { fillMode: fill === 'zero' ? 'constant' : 'mirror', cval: Array<number>(channels).fill(0) } as const;
    return [{ kind: 'warp', height, width, matrix: translate(dy, dx), edge }];
  };
}
