/** The answers of the server's own protocol, as both sides know them. */

export interface ClassProbability {
  readonly name: string;
  readonly probability: number;
}

/** Which model answered. */
interface Answered {
  readonly model: string;
  readonly version: number;
  /** From the request's arrival to its answer, on the server. */
  readonly milliseconds: number;
}

/** The answer about one picture. */
export interface ClassifiedPicture extends Answered {
  /** The most probable first. */
  readonly classes: readonly ClassProbability[];
}

/** One of several pictures. */
export type ClassifiedFile =
  | { readonly file: string; readonly classes: readonly ClassProbability[] }
  | { readonly file: string; readonly error: string };

/** The answer about several pictures of one form. */
export interface Classification extends Answered {
  readonly pictures: readonly ClassifiedFile[];
}

/** Where a network looked: how much each place spoke for the class, 0–1. */
export interface HeatMap {
  readonly width: number;
  readonly height: number;
  /** height × width, row by row. */
  readonly values: readonly number[];
}

/** A picture's classes, and why the network thinks so (Grad-CAM). */
export interface Explanation extends ClassifiedPicture {
  /** The class that the map is about. */
  readonly class: string;
  readonly heatmap: HeatMap;
}

export interface ServedModel {
  readonly name: string;
  /** The newest version, which answers where none is asked for. */
  readonly version: number;
  readonly versions: readonly number[];
  readonly classes: readonly string[];
  /** Height, width, channels; pictures of any size are brought to it. */
  readonly inputShape: readonly [height: number, width: number, channels: number];
  /** Whether it can be asked to explain itself. */
  readonly explains: boolean;
}

export interface ModelList {
  readonly models: readonly ServedModel[];
}
