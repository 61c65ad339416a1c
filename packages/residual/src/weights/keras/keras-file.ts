/** What a Keras file gives beyond named tensors: its layers, in order, and the configuration of a whole model.
 *  Loading by layer name and by topological order both start from `layers`. */

import type { WeightFile, WeightTensor } from '../tensor.ts';

export interface KerasLayer {
  /** As the model calls it, e.g. `conv2d_3`. */
  readonly name: string;
  /** Keras's class, e.g. `Conv2D`, where the file tells. */
  readonly className: string | undefined;
  /** In the order of `layer.get_weights()`: kernel, bias; gamma, beta, moving mean, moving variance. */
  readonly tensors: readonly KerasTensor[];
}

export interface KerasTensor extends WeightTensor {
  /** What the layer calls it, e.g. `kernel`, `moving_variance`, where the file tells or the class has no choice. */
  readonly variable: string | undefined;
}

export interface KerasFile extends WeightFile {
  readonly format: 'keras';
  readonly tensors: readonly KerasTensor[];
  /** Layers that have weights. */
  readonly layers: readonly KerasLayer[];
  /**
   * `model`: in the order of `model.layers`. `class`: a `.weights.h5` without its model keeps the order within each class
   * only: all convolutions come first to last, but where normalisations stand among them is lost.
   */
  readonly order: 'model' | 'class';
  /** The model's `get_config` with its class name, as parsed JSON, where the file holds a whole model. */
  readonly modelConfig?: unknown;
}

/** Whether an open file of any format is Keras's. */
export function isKerasFile(file: WeightFile): file is KerasFile {
  return file.format === 'keras' && 'layers' in file;
}
