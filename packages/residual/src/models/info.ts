/** What a model needs to be told apart from its weights: class names and preprocessing. Stored as `residual.json`. */

import type { Interpolation } from '../data/dataset.ts';

/** From bytes 0–255 to what the network eats: (x / 255 − mean) / std per channel, after resizing. */
export interface Preprocessing {
  /** Height, width, channels of the network's input. */
  readonly inputShape: readonly [height: number, width: number, channels: number];
  /**
   * How a picture of another size becomes one of the input's: `cover` scales the shorter side and crops the centre,
   * `contain` pads, `stretch` ignores the aspect ratio.
   */
  readonly resize: 'cover' | 'contain' | 'stretch';
  /**
   * The part of the resized picture's sides that is kept, cut out of its centre, 0 < crop ≤ 1: at 224 pixels, 0.875
   * scales to 256 and cuts 224 out. Default 1, all of it.
   */
  readonly crop?: number;
  /** How pixels are found when a picture is scaled. Default `lanczos`. */
  readonly interpolation?: Interpolation;
  /** Per channel, on the scale 0–1. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

export interface ModelInfo {
  readonly format: 'residual/1';
  readonly architecture: string;
  readonly classes: readonly string[];
  readonly preprocessing: Preprocessing;
}
