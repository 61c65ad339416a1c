/** What the server asks of a model: the least that every format can give.
 *  The command line makes it of a run or of an exported file; a program may make it of anything. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Preprocessing } from '../models/info.ts';

export interface ServedClassifier {
  /** In the order of the outputs. */
  readonly classes: readonly string[];
  readonly preprocessing: Preprocessing;
  /** What `classify` takes: (byte / 255 − mean) / std, or bytes 0–255 as numbers. */
  readonly range: 'normalised' | 'bytes';
  /** The model itself where it is a TF.js one: its answers can be explained. */
  readonly model?: LayersModel;
  /**
   * @param images count × height × width × channels
   * @returns a row of probabilities for each
   */
  classify(images: Float32Array, count: number): Promise<readonly ArrayLike<number>[]>;
  dispose(): void;
}

/** Opens what stands at a path. */
export type OpenClassifier = (path: string) => Promise<ServedClassifier>;
