/** Random horizontal flip: left and right change places in half of the pictures.
 *  Leave it out where left and right carry meaning (digits, text, road signs). */
import { DataError } from '../data/errors.ts';
import type { Apply } from './transform.ts';
import { blank } from './transform.ts';

export interface RandomFlip {
  readonly name: 'randomFlip';
  readonly probability: number;
}

/**
 * @param options.probability of a flip, 0 to 1. Default 0.5
 * @throws DataError for a probability out of range
 */
export function randomFlip(options: { readonly probability?: number } = {}): RandomFlip {
  const { probability = 0.5 } = options;
  if (!(probability >= 0 && probability <= 1)) {
    throw new DataError(`randomFlip: probability must be from 0 to 1, received ${probability}`);
  }
  return { name: 'randomFlip', probability };
}

export function applyRandomFlip({ probability }: RandomFlip): Apply {
  return (picture, random) => {
    if (!random.boolean(probability)) return picture;
    const { data, height, width, channels } = picture;
    const flipped = blank(picture, height, width);
    const out = flipped.data;
    for (let y = 0; y < height; y++) {
      let to = y * width * channels;
      let from = to + (width - 1) * channels;
      for (let x = 0; x < width; x++, from -= channels) {
        for (let c = 0; c < channels; c++) out[to++] = data[from + c];
      }
    }
    return flipped;
  };
}
