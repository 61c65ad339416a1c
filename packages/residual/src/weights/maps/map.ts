/** What a map of names is: whose files it is for, how they call the parts of a ResNet, and how they count.
 *  Maps are data; `assign.ts` applies them. One file for each origin. */

import type { Normalization } from '../../data/dataset.ts';
import type { WeightFormat } from '../tensor.ts';

interface Origin {
  /** Short, for `--json` and the option `map`. */
  readonly name: string;
  /** Whose names these are, for people. */
  readonly title: string;
  /** Formats in which they are looked for; all where missing. */
  readonly formats?: readonly WeightFormat[];
  /** How convolutions and dense layers are stored: OIHW and [out, in], or HWIO and [in, out]. */
  readonly layout: 'OIHW' | 'HWIO';
  /** Of their batch normalisations; `model` where the file was written by the model's own kind. */
  readonly epsilon: number | 'model';
  /** How their strided convolutions pad; `model` likewise. */
  readonly padding: 'symmetric' | 'same' | 'model';
  /** Tensors without use for us, by the ends of their names: known, so they are no surprise. */
  readonly ignored: readonly string[];
  /** Of ImageNet's networks of this origin (1000 classes). */
  readonly preprocessing?: Normalization;
  /** How the network of that origin differs from ours, though names and shapes agree. */
  readonly caution?: { readonly blocks: 'bottleneck'; readonly text: string };
}

/**
 * Names of the parts of a ResNet. In braces stand numbers:
 * `stage` from 1, `stage0` from 0, `stage2` from 2, `feature` from 4 (after the stem's four in MXNet's list);
 * `block` within its stage from 0, `block1` from 1; `conv` within its block from 1, `conv0` from 0;
 * `n` counts the convolutions of a stage from 0, the one of a shortcut after the others of its block, `m` without
 * shortcuts; `body` and `body1` are the places of a convolution and its norm in MXNet's list of a block.
 */
export interface PartNames {
  readonly conv1: string;
  readonly bn1: string;
  readonly conv: string;
  readonly bn: string;
  readonly shortcutConv: string;
  readonly shortcutNorm: string;
  readonly fc: string;
}

/** How the weights of a layer are called, after its name. */
export interface WeightNames {
  readonly kernel: string;
  readonly bias: string;
  readonly gamma: string;
  readonly beta: string;
  readonly moving_mean: string;
  readonly moving_variance: string;
}

/** By names that say which part of a ResNet a tensor is. Something may stand before all of them, as `module.` */
export interface PartsMap extends Origin {
  readonly by: 'parts';
  readonly parts: PartNames;
  readonly weights: WeightNames;
}

/** By the names of the model's own layers, as Keras and TF.js store them: any network. */
export interface LayersMap extends Origin {
  readonly by: 'layers';
  /** Layers that the origin calls otherwise, by our names. */
  readonly names?: Readonly<Record<string, string>>;
}

/** By the order of the layers, where their names say nothing: `conv2d`, `conv2d_1`, `onnx::Conv_193` … */
export interface OrderMap extends Origin {
  readonly by: 'order';
}

export type WeightMap = PartsMap | LayersMap | OrderMap;

/** How ImageNet's networks want their pictures, nearly all of them: (x / 255 − mean) / std. */
export const imagenet: Normalization = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** PyTorch's names of weights. */
export const torchWeights: WeightNames = {
  kernel: '.weight',
  bias: '.bias',
  gamma: '.weight',
  beta: '.bias',
  moving_mean: '.running_mean',
  moving_variance: '.running_var',
};
