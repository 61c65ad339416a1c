/** What an augmentation is: plain data that says which, and a pure function that does it to one picture.
 *  Data, so that it can be sent to a worker, stored with a run and written in a recipe. */
import type { Random } from '../data/random.ts';
import type { RandomCrop } from './random-crop.ts';
import type { RandomFlip } from './random-flip.ts';
import type { RandomTransform } from './random-transform.ts';

/** One picture, height × width × channels, on the scale 0–255 whether bytes or floats. */
export interface Picture {
  readonly data: Uint8Array | Float32Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/**
 * Changes a picture. It leaves its argument alone, and may return it where nothing changes. All chance comes from
 * `random`, so that the same (seed, epoch, index, place in the list) gives the same picture on any thread.
 */
export type Apply = (picture: Picture, random: Random) => Picture;

/** An augmentation as plain data, told apart by `name`; each is described in its own file. */
export type Transform = RandomCrop | RandomFlip | RandomTransform;

/** An empty picture of another size and the same kind. */
export function blank(like: Picture, height: number, width: number): Picture {
  const length = height * width * like.channels;
  const data = like.data instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length);
  return { data, height, width, channels: like.channels };
}
