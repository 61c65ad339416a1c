/** What is known of one public file of weights: where it lies, how to tell that it is whole, and how pictures enter.
 *  Facts only, each as its publisher states it; what a publisher does not state is absent, never guessed. */

import type { Interpolation } from '../../data/dataset.ts';
import type { ModelName } from '../../models/registry.ts';
import type { WeightFormat } from '../tensor.ts';

/** How the network was evaluated by those who published it. */
export interface PublishedPreprocessing {
  /** Height and width in pixels. */
  readonly size: number;
  /** The shorter side is scaled to size / crop, and the centre is cut out. */
  readonly crop: number;
  /** Absent where it is not published. */
  readonly interpolation?: Interpolation;
  /** Of the file's input: 3 is red, green, blue in this order. */
  readonly channels: 1 | 3;
  /** Per channel, on the scale 0–1. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** The class names that a file's outputs stand for, in order. */
export type ClassList = 'imagenet-1k' | 'fashion-mnist';

export interface PublishedAccuracy {
  /** Percent. */
  readonly top1: number;
  readonly on: string;
  /** The page or file that says so. */
  readonly source: string;
}

export interface WeightsEntry {
  /** As its publisher calls it, e.g. `timm/resnet18.a1_in1k`. */
  readonly name: string;
  /** Shorter names, e.g. `timm/a1`. */
  readonly aliases: readonly string[];
  /** The network, as `createModel` calls it. */
  readonly architecture: ModelName;
  /** BN and ReLU stand before the convolutions ("v2"): the network's option of that name. */
  readonly preactivation?: true;
  readonly format: WeightFormat;
  /** The file's own name. */
  readonly file: string;
  /** Where it is downloaded from; absent for a file that comes with this package. */
  readonly url?: string;
  /** In bytes. */
  readonly size?: number;
  /** Hexadecimal: the whole of it, or its first digits where no more is published (torchvision's file names hold 8). */
  readonly sha256?: string;
  /** Where the publisher gives this one. */
  readonly md5?: string;
  /** SPDX identifier. */
  readonly licence: string;
  readonly preprocessing: PublishedPreprocessing;
  readonly classes: ClassList;
  readonly accuracy?: PublishedAccuracy;
  /** The publisher's page. */
  readonly page: string;
}
