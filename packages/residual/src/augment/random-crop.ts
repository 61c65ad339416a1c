/** Random crop with padding: the picture moves by up to `padding` pixels each way, its size unchanged.
 *  The standard augmentation of CIFAR since "Deeply-supervised nets" (Lee et al., 2014), with padding 4. */
import { DataError } from '../data/errors.ts';
import type { Apply, Picture } from './transform.ts';
import { blank } from './transform.ts';

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
  if (!Number.isInteger(padding) || padding < 0) {
    throw new DataError(`randomCrop: padding must be a whole number of pixels from 0 up, received ${padding}`);
  }
  if (fill !== 'zero' && fill !== 'reflect') {
    throw new DataError(`randomCrop: fill must be 'zero' or 'reflect', received '${fill}'`);
  }
  return { name: 'randomCrop', padding, fill };
}

export function applyRandomCrop({ padding, fill }: RandomCrop): Apply {
  return (picture, random) => {
    const dy = random.integer(2 * padding + 1) - padding;
    const dx = random.integer(2 * padding + 1) - padding;
    if (dy === 0 && dx === 0) return picture;
    if (fill === 'reflect' && padding >= Math.min(picture.height, picture.width)) {
      throw new DataError(
        `randomCrop: reflect padding of ${padding} needs a picture larger than that, received ${picture.height} x ${picture.width}`,
      );
    }
    return shift(picture, dy, dx, fill);
  };
}

/** The picture seen through a window moved by (dy, dx). */
function shift(picture: Picture, dy: number, dx: number, fill: RandomCrop['fill']): Picture {
  const { data, height, width, channels } = picture;
  const shifted = blank(picture, height, width);
  const out = shifted.data;
  const row = width * channels;
  const inside = Math.max(0, width - Math.abs(dx)) * channels;
  const from = Math.max(0, dx) * channels;
  const to = Math.max(0, -dx) * channels;
  for (let y = 0; y < height; y++) {
    let sy = y + dy;
    if (sy < 0 || sy >= height) {
      if (fill === 'zero') continue;
      sy = mirror(sy, height);
    }
    const source = sy * row;
    if (inside > 0) out.set(data.subarray(source + from, source + from + inside), y * row + to);
    if (fill === 'zero') continue;
    const first = dx > 0 ? width - dx : 0;
    for (let x = first; x < first + Math.abs(dx); x++) {
      const sx = mirror(x + dx, width) * channels;
      for (let c = 0; c < channels; c++) out[y * row + x * channels + c] = data[source + sx + c];
    }
  }
  return shifted;
}

function mirror(position: number, size: number): number {
  if (position < 0) return -position;
  return position < size ? position : 2 * (size - 1) - position;
}
