/** From what a client sent to what a model takes, a few pictures at a time and none larger than allowed.
 *  Decoding is the one of training and prediction, in libuv's threads. */

import { DataError, PixelLimitError } from '../data/errors.ts';
import { decodeImage } from '../data/node/decode.ts';
import type { Preprocessing } from '../models/info.ts';
import { ServeError } from './errors.ts';
import type { Prepared } from './servable.ts';

/** A picture as it came: a file's bytes, pixels of the network's size, or numbers for the network itself. */
export type SentPicture =
  | { readonly kind: 'file'; readonly bytes: Uint8Array }
  | { readonly kind: 'pixels'; readonly values: Float32Array | Uint8Array }
  | { readonly kind: 'normalised'; readonly values: Float32Array };

export class Decoder {
  private readonly most: number;
  private readonly maxPixels: number;
  private active = 0;
  private readonly waiting: (() => void)[] = [];

  /** @param most pictures decoded side by side */
  constructor(most: number, maxPixels: number) {
    this.most = most;
    this.maxPixels = maxPixels;
  }

  /** @throws ServeError 400 for what is no readable picture, 413 for too many pixels; the signal's reason */
  async prepare(picture: SentPicture, preprocessing: Preprocessing, signal: AbortSignal): Promise<Prepared> {
    if (picture.kind === 'normalised') return picture;
    if (picture.kind === 'pixels') return { kind: 'bytes', values: picture.values };
    if (this.active >= this.most) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.active++;
    try {
      signal.throwIfAborted();
      return { kind: 'bytes', values: await this.decode(picture.bytes, preprocessing) };
    } finally {
      // The turn goes on to the next in line.
      const next = this.waiting.shift();
      if (next) next();
      else this.active--;
    }
  }

  private async decode(bytes: Uint8Array, { inputShape, resize, crop, interpolation }: Preprocessing) {
    const [height, width, channels] = inputShape;
    const { maxPixels } = this;
    const details = { resize, crop, interpolation, maxPixels };
    try {
      return await decodeImage(bytes, { size: [height, width], channels: channels === 1 ? 1 : 3, ...details });
    } catch (error) {
      if (error instanceof PixelLimitError) {
        throw new ServeError(413, `image: may have ${maxPixels} pixels at most, it has more`);
      }
      if (error instanceof DataError) throw new ServeError(400, error.message);
      throw error;
    }
  }
}
