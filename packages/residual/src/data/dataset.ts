/** One labelled set of images behind one type, whatever files it comes from.
 *  Everything downstream (training, evaluation, statistics) knows this type only. */
import type { Mixture } from '../augment/mix.ts';
import type { Transform } from '../augment/transform.ts';

/** Height, width, channels. */
export type ImageShape = readonly [height: number, width: number, channels: number];

/**
 * How a picture of another size becomes one of the wanted size: `cover` scales it to cover the whole and crops the
 * centre, `contain` scales it to fit inside and pads with black, `stretch` ignores the aspect ratio.
 */
export type ResizeMode = 'cover' | 'contain' | 'stretch';

/** How pixels between pixels are found when a picture is scaled; all but `nearest` average what they shrink. */
export type Interpolation = 'nearest' | 'bilinear' | 'bicubic' | 'lanczos';

/** The finer points of bringing a picture to a size. */
export interface ResizeDetails {
  /**
   * The part of the resized picture's sides that is kept, cut out of its centre, 0 < crop ≤ 1: at 224 pixels, 0.875
   * resizes to 256 and cuts 224 out, as ImageNet's networks are evaluated. Default 1, all of it.
   */
  readonly crop?: number | undefined;
  /** Default `lanczos`. */
  readonly interpolation?: Interpolation | undefined;
}

/** A file that could not be used, and why. */
export interface SkippedFile {
  readonly path: string;
  readonly reason: string;
}

/** Per channel, on the scale 0–1: a byte b becomes (b / 255 − mean) / std. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** One batch to be made: which samples, and what is done to them. */
export interface BatchRequest {
  readonly indices: Int32Array;
  readonly seed: number;
  readonly epoch: number;
  readonly transforms: readonly Transform[];
  readonly normalize: Normalization;
  /** A corrupt file's place is taken by another sample of its class, or the batch gets smaller. */
  readonly corrupt: 'replace' | 'drop';
}

/** A finished batch. */
export interface ProducedBatch {
  /** Normalised, NHWC. */
  readonly images: Float32Array<ArrayBuffer>;
  /** The samples that the images show: as requested, but for corrupt files. */
  readonly indices: Int32Array;
  /** What mixup or CutMix did, where it was asked for. */
  readonly mixture?: Mixture;
}

/**
 * Images of one size with one integer label each. Samples are addressed by index, 0 to size − 1,
 * in an order that depends on the files alone.
 */
export interface Dataset {
  /** For people, e.g. `fashion-mnist/train`. */
  readonly name: string;
  readonly classes: readonly string[];
  readonly size: number;
  readonly imageShape: ImageShape;
  /** The class index of each sample. */
  readonly labels: Int32Array;
  /** Files that were left out, with reasons; grows while lazily decoded files turn out corrupt. */
  readonly skipped: readonly SkippedFile[];
  /**
   * Decodes samples into bytes 0–255, NHWC: `indices.length × height × width × channels`.
   * Never on the calling thread for more than a copy. A corrupt file is recorded in `skipped` and its place
   * taken by another sample of the same class (`indices` in the result say which).
   */
  read(indices: ArrayLike<number>): Promise<{ images: Uint8Array; indices: Int32Array }>;
  /**
   * Makes a finished batch away from the calling thread. `batches()` uses it where it exists; sets without it are
   * `read()` and finished by a worker of the iterator's own.
   */
  produce?(request: BatchRequest, options?: ProduceOptions): Promise<ProducedBatch>;
  /** The file that a sample came from, where there is one per sample. */
  fileOf?(index: number): string;
  /** What a sample is called whatever part it was cut into: its file, or its row in the stored set, e.g. `train#1234`. */
  nameOf?(index: number): string;
  /** Ends worker threads and closes files. */
  close(): Promise<void>;
}

export interface ProduceOptions {
  /** Gives the request up; its promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Threads that share the work; the result does not depend on it. Default 1. */
  readonly workers?: number;
}

/** A data set in the parts that training needs. */
export interface Splits extends ResizeDetails {
  readonly classes: readonly string[];
  readonly imageShape: ImageShape;
  /** How pictures of other sizes are brought to `imageShape`: part of the model's preprocessing. Default `cover`. */
  readonly resize?: ResizeMode;
  readonly train: Dataset;
  /** Held out from training to watch it and to choose by. */
  readonly validation?: Dataset;
  /** Looked at once, at the end. */
  readonly test?: Dataset;
}

/** Closes every part of `splits`. */
export async function closeSplits(splits: Splits): Promise<void> {
  await Promise.all([splits.train.close(), splits.validation?.close(), splits.test?.close()]);
}
