/** What a model needs to be told apart from its weights: class names and preprocessing. Stored as `residual.json`. */

import type { ResizeDetails } from '../data/dataset.ts';

/** From bytes 0–255 to what the network eats: (x / 255 − mean) / std per channel, after resizing. */
export interface Preprocessing extends ResizeDetails {
  /** Height, width, channels of the network's input. */
  readonly inputShape: readonly [height: number, width: number, channels: number];
  /**
   * How a picture of another size becomes one of the input's: `cover` scales the shorter side and crops the centre,
   * `contain` pads, `stretch` ignores the aspect ratio.
   */
  readonly resize: 'cover' | 'contain' | 'stretch';
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
