/** One labelled set of images behind one type, whatever files it comes from. */

/** Height, width, channels. */
export type ImageShape = readonly [height: number, width: number, channels: number];

/** A file that could not be used, and why. */
export interface SkippedFile {
  readonly path: string;
  readonly reason: string;
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
  /** The file that a sample came from, where there is one per sample. */
  fileOf?(index: number): string;
  /** Ends worker threads and closes files. */
  close(): Promise<void>;
}

/** A data set in the parts that training needs. */
export interface Splits {
  readonly classes: readonly string[];
  readonly imageShape: ImageShape;
  readonly train: Dataset;
  /** Held out from training to watch it and to choose by. */
  readonly validation?: Dataset;
  /** Looked at once, at the end. */
  readonly test?: Dataset;
}
