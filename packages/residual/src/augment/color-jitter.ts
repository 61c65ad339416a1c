/** Colour jitter: brightness, contrast, saturation and hue change by random amounts, in a random order.
 *  The amounts are torchvision's; the four are one matrix and one pass, and hue keeps the luma (see color.ts). */
import { DataError } from '../data/errors.ts';
import { brightness, chain, contrast, hue, meanGrey, saturation } from './color.ts';
import { between, range } from './limits.ts';
import type { Plan } from './transform.ts';

type Range = readonly [least: number, most: number];

export interface ColorJitter {
  readonly name: 'colorJitter';
  readonly brightness: Range;
  readonly contrast: Range;
  readonly saturation: Range;
  readonly hue: Range;
  readonly probability: number;
}

/**
 * One number x means factors from 1 − x (at least 0) to 1 + x; for hue, turns from −x to x of the colour circle.
 *
 * @param options.brightness factor of all values. Default 0
 * @param options.contrast factor of the distance from the picture's mean grey. Default 0
 * @param options.saturation factor of the distance from each pixel's own grey. Default 0
 * @param options.hue turn of the colour circle, −0.5 to 0.5. Default 0
 * @param options.probability of any change at all. Default 1
 * @throws DataError for values out of range; saturation and hue for pictures of other than 1 or 3 channels
 */
export function colorJitter(
  options: {
    readonly brightness?: number | Range;
    readonly contrast?: number | Range;
    readonly saturation?: number | Range;
    readonly hue?: number | Range;
    readonly probability?: number;
  } = {},
): ColorJitter {
  const factor = (option: 'brightness' | 'contrast' | 'saturation'): Range => {
    const value = options[option] ?? 0;
    if (typeof value !== 'number') return range('colorJitter', option, value, 0);
    between('colorJitter', option, value, 0);
    return [Math.max(0, 1 - value), 1 + value];
  };
  const { hue = 0, probability = 1 } = options;
  return {
    name: 'colorJitter',
    brightness: factor('brightness'),
    contrast: factor('contrast'),
    saturation: factor('saturation'),
    hue:
      typeof hue === 'number'
        ? [-between('colorJitter', 'hue', hue, 0, 0.5), hue]
        : range('colorJitter', 'hue', hue, -0.5, 0.5),
    probability: between('colorJitter', 'probability', probability, 0, 1),
  };
}

const kinds = ['brightness', 'contrast', 'saturation', 'hue'] as const;

export function planColorJitter(data: ColorJitter): Plan {
  const changed = kinds.filter((kind) => data[kind].some((value) => value !== (kind === 'hue' ? 0 : 1)));
  return ({ channels }, random) => {
    const applies = random.boolean(data.probability);
    const amounts = { brightness: 1, contrast: 1, saturation: 1, hue: 0 };
    for (const kind of kinds) amounts[kind] = random.uniform(...data[kind]);
    const order = random.shuffle(changed.slice());
    if (!applies || order.length === 0) return [];
    if (channels !== 1 && channels !== 3 && order.some((kind) => kind === 'saturation' || kind === 'hue')) {
      throw new DataError(`colorJitter: saturation and hue need pictures of 1 or 3 channels, received ${channels}`);
    }
    /** @param grey the picture's mean grey: each change says what it makes of it, so one look at the pixels serves all */
    const matrixOf = (grey: number) => {
      let mean = grey;
      const matrices = order.map((kind) => {
        const amount = amounts[kind];
        if (kind === 'contrast') return contrast(channels, amount, mean);
        if (kind === 'saturation') return saturation(channels, amount);
        if (kind === 'hue') return hue(channels, amount);
        mean *= amount;
        return brightness(channels, amount);
      });
      return chain(channels, ...matrices);
    };
    if (!order.includes('contrast')) return [{ kind: 'color', matrix: matrixOf(0) }];
    return [{ kind: 'color', matrix: (picture) => matrixOf(meanGrey(picture)) }];
  };
}
