/** Random flip: left and right (or top and bottom) change places in half of the pictures.
 *  Leave it out where they carry meaning (digits, text, road signs). */
import { mirrorColumns, mirrorRows } from './affine.ts';
import { between, choice } from './limits.ts';
import type { Plan } from './transform.ts';

type Direction = 'horizontal' | 'vertical';

export interface RandomFlip {
  readonly name: 'randomFlip';
  readonly probability: number;
  /** Left out for horizontal. */
  readonly direction?: Direction;
}

/**
 * @param options.probability of a flip, 0 to 1. Default 0.5
 * @param options.direction `horizontal` (left and right) or `vertical` (top and bottom). Default `horizontal`
 * @throws DataError for a probability out of range, or an unknown direction
 */
export function randomFlip(
  options: { readonly probability?: number; readonly direction?: Direction } = {},
): RandomFlip {
  const { probability = 0.5, direction = 'horizontal' } = options;
  between('randomFlip', 'probability', probability, 0, 1);
  choice('randomFlip', 'direction', direction, ['horizontal', 'vertical']);
  return { name: 'randomFlip', probability, ...(direction === 'vertical' ? { direction } : {}) };
}

export function planRandomFlip({ probability, direction }: RandomFlip): Plan {
  return ({ height, width }, random) => {
    if (!random.boolean(probability)) return [];
    const size = { height, width };
    return [{ kind: 'warp', ...size, matrix: direction === 'vertical' ? mirrorRows(size) : mirrorColumns(size) }];
  };
}
