/** A written file at work in the runtime that it was written for, whatever its format: what proofs are made with. */

import type { ArtefactInfo } from './artefact.ts';

export interface RunningFile {
  /** What the file says of itself. */
  readonly info: ArtefactInfo;
  /** What runs it, with its version, e.g. `ONNX Runtime 1.30.0`. */
  readonly runtime: string;
  /** The type of the numbers that the file's input takes. */
  readonly input: string;
  /**
   * Runs a batch.
   *
   * @param images batch × height × width × channels, normalised or as bytes 0–255, as `info.range` says; the layout and
   *   the type that the file wants are made of them
   * @returns batch × classes
   */
  run(images: Float32Array, batch: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/** A written file at work with what its layers make, not only with its answer: what shows where it parts from a model. */
export interface RunningValues extends Pick<RunningFile, 'info' | 'runtime' | 'close'> {
  /** The values that come out, as the inference graph calls them. */
  readonly values: readonly string[];
  /**
   * Runs a batch.
   *
   * @param images as {@link RunningFile.run} takes them
   * @returns of each value the numbers in floats, the batch first, channels last
   */
  run(images: Float32Array, batch: number): Promise<Map<string, Float32Array>>;
}
