/** What an augmentation is: plain data that says which, and a plan that turns chance into steps for one picture.
 *  Data, so that it can be sent to a worker, stored with a run and written in a recipe. */
import type { Random } from '../data/random.ts';
import type { Affine, Size } from './affine.ts';
import type { AlternatingFlip } from './alternating-flip.ts';
import type { AugMix } from './aug-mix.ts';
import type { ColorMatrix, Tables } from './color.ts';
import type { ColorJitter } from './color-jitter.ts';
import type { CutMix } from './cut-mix.ts';
import type { Cutout } from './cutout.ts';
import type { GaussianBlur } from './gaussian-blur.ts';
import type { Mixup } from './mixup.ts';
import type { RandAugment } from './rand-augment.ts';
import type { RandomAffine } from './random-affine.ts';
import type { RandomCrop } from './random-crop.ts';
import type { RandomErasing } from './random-erasing.ts';
import type { RandomFlip } from './random-flip.ts';
import type { RandomGrayscale } from './random-grayscale.ts';
import type { RandomResizedCrop } from './random-resized-crop.ts';
import type { RandomTransform } from './random-transform.ts';
import type { TrivialAugment } from './trivial-augment.ts';
import type { Boundary } from './warp.ts';

/** One picture, height × width × channels, on the scale 0–255 whether bytes or floats. */
export interface Picture {
  readonly data: Uint8Array | Float32Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** Augmentations of one picture as plain data, told apart by `name`; each is described in its own file. */
export type PictureTransform =
  | RandomCrop
  | RandomResizedCrop
  | RandomFlip
  | AlternatingFlip
  | RandomAffine
  | RandomTransform
  | ColorJitter
  | RandomGrayscale
  | GaussianBlur
  | Cutout
  | RandomErasing
  | RandAugment
  | TrivialAugment
  | AugMix;

/** Augmentations that mix the finished images of a batch and their labels. */
export type BatchTransform = Mixup | CutMix;

export type Transform = PictureTransform | BatchTransform;

/** Whose picture it is, and what it is for: all that a plan may depend on beside its own random numbers. */
export interface Sample {
  readonly seed: number;
  readonly epoch: number;
  /** Of the sample in its data set. */
  readonly index: number;
  /** The size that the network takes. */
  readonly target: Size;
  /** For each channel the value, 0–255, that normalisation makes 0: what `mean` fills with. */
  readonly mean: readonly number[];
}

/**
 * Draws what happens to one picture. All chance comes from `random` (or from the sample's address), so that the same
 * (seed, epoch, index, place in the list) gives the same picture on any thread.
 */
export type Plan = (size: Size & { readonly channels: number }, random: Random, sample: Sample) => readonly Step[];

/** What can happen to a picture. `canvas.ts` joins neighbours of one kind into one pass. */
export type Step = WarpStep | ColorStep | TableStep | PatchStep | RedrawStep;

/** Pixels move. */
export interface WarpStep extends Size {
  readonly kind: 'warp';
  /** From the output to the input. */
  readonly matrix: Affine;
  /** What comes in from beyond the edges; undefined where nothing can. */
  readonly edge?: Edge;
  /** Default `bilinear`. */
  readonly interpolation?: 'nearest' | 'bilinear';
  /** Averages over what an output pixel covers, where the picture gets smaller. Default false. */
  readonly antialias?: boolean;
}

export interface Edge {
  readonly fillMode: Boundary;
  readonly cval: readonly number[];
}

/** A linear change of each pixel's colour, clamped to 0–255. */
export interface ColorStep {
  readonly kind: 'color';
  /** A function, where it depends on the picture. */
  readonly matrix: ColorMatrix | ((picture: Picture) => ColorMatrix);
}

/** A change of each value by looking it up. */
export interface TableStep {
  readonly kind: 'table';
  readonly tables: Tables | ((picture: Picture) => Tables);
}

/** Some pixels are written over. */
export interface PatchStep {
  readonly kind: 'patch';
  readonly patch: (data: Picture['data'], picture: Picture) => void;
}

/** Anything else: a picture is made of a picture, which is left alone. */
export interface RedrawStep {
  readonly kind: 'redraw';
  readonly redraw: (picture: Picture) => Picture;
}

/** An empty picture of another size and the same kind. */
export function blank(like: Picture, height: number, width: number): Picture {
  const length = height * width * like.channels;
  const data = like.data instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length);
  return { data, height, width, channels: like.channels };
}
