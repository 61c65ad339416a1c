/** What a format of exported files is: how it is written, and how its files are run in their own runtime.
 *  Each format is one object in a folder of its own; `formats.ts` lists them. */

import type { LayersModel } from '@tensorflow/tfjs-layers';
import { ModelError } from '../models/errors.ts';
import type { ModelInfo } from '../models/info.ts';
import type { PostTrainingOptions, QuantizedGraph } from '../quantize/post-training.ts';
import type { Layout, Precision } from './artefact.ts';
import type { InferenceGraph } from './graph/graph.ts';
import type { RunningGraph } from './graph/run.ts';
import type { Pictures } from './measure.ts';
import type { FormatName } from './names.ts';
import type { QuantizationProfile } from './onnx/placement.ts';
import type { RunningFile, RunningValues } from './runtime.ts';

/**
 * What a file takes: normalised float32 numbers, or pictures of bytes, whose normalisation is part of the file.
 * `picture`: bytes of pictures of any size, which the file resizes and cuts too.
 */
export type ExportInput = 'float32' | 'uint8' | 'picture';

/** What files hold whose runtime has no arithmetic of integers. */
export const floatPrecisions = ['float32', 'float16', 'dynamic'] as const satisfies readonly Precision[];

/** What files take that do not resize. */
export const plainInputs = ['float32', 'uint8'] as const satisfies readonly ExportInput[];

export interface ExportRequest {
  readonly model: LayersModel;
  readonly info: ModelInfo;
  readonly precision: Precision;
  /** The softmax at the end: as the model has it, left out, or there in any case. */
  readonly softmax: 'keep' | 'drop' | 'add';
  readonly input: ExportInput;
  /** Of the input. Default: what is usual for the format. */
  readonly layout?: Layout;
  /** Of ONNX. Default 17. */
  readonly opset?: number;
  /** Of an int8 ONNX file: the runtime that it is for. Default `cpu`. */
  readonly profile?: QuantizationProfile;
  /** Of an int8 TFLite file: the type of the numbers that a caller gives and gets. Default: floats, or uint8 for bytes. */
  readonly edges?: 'float' | 'int8' | 'uint8';
  /** Pictures like those to come, from which int8 files take their scales. */
  readonly calibration?: Pictures;
  /** How int8 files get their integers from those pictures. */
  readonly postTraining?: Omit<PostTrainingOptions, 'signal' | 'onProgress'>;
  /** Gets the graph and the integers of an int8 file as they are written: to explain what the file does. */
  readonly onQuantized?: (quantized: QuantizedGraph) => void;
  /** Stops the calibration, with the signal's reason as the error. */
  readonly signal?: AbortSignal;
  /** Of this program, for the file. */
  readonly version: string;
}

/** A file in memory. */
export interface ExportFile {
  /** From the folder of the export; with `/` between folders. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface ExportFormat {
  /** As the command line calls it. */
  readonly name: FormatName;
  /** For people, e.g. `ONNX`. */
  readonly title: string;
  /** Those that it can hold. */
  readonly precisions: readonly Precision[];
  /** What is written where another precision is asked for that its runtime has no arithmetic for. Default: nothing. */
  readonly nearest?: Readonly<Partial<Record<Precision, Precision>>>;
  /** Of the input. */
  readonly layouts: readonly Layout[];
  /** What the input can be. */
  readonly inputs: readonly ExportInput[];
  /** The name of the file, or of the folder that holds the files, in the folder of the export: e.g. `model.onnx`. */
  target(precision: Precision, profile?: QuantizationProfile): string;
  /** @throws ModelError for what the format cannot hold */
  write(request: ExportRequest): Promise<readonly ExportFile[]>;
  /** Whether these files, from a disk, are of this format. */
  recognises(files: readonly ExportFile[]): boolean;
  /**
   * Files back as a graph, ready to run in our own engine, with the rounding of integers where the files have them.
   *
   * @throws ModelError, WeightsError for operations that it does not run, and for damaged files
   */
  read?(files: readonly ExportFile[]): RunningGraph | Promise<RunningGraph>;
  /**
   * Loads files in the runtime that they are written for.
   *
   * @throws ModelError where the runtime refuses them or is not installed
   */
  open(files: readonly ExportFile[]): Promise<RunningFile>;
  /**
   * Loads files in their runtime with what their layers make as outputs too. Missing where the runtime cannot show it.
   *
   * @param graph whose values are asked for; the file may have less of them
   */
  openValues?(files: readonly ExportFile[], graph: InferenceGraph): Promise<RunningValues>;
}

/** `model` or `model-float16`, before the format's own ending. */
export function stemFor(precision: Precision): string {
  return precision === 'float32' ? 'model' : `model-${precision}`;
}

/** `tfjs` or `tfjs-float16`: where a format's files have a folder of their own. */
export function folderFor(format: FormatName, precision: Precision): string {
  return precision === 'float32' ? format : `${format}-${precision}`;
}

/**
 * @param what e.g. `TFLite: input`
 * @throws ModelError where a format has no such files
 */
export function checkChoice<Choice extends string>(
  what: string,
  choices: readonly Choice[],
  received: string,
): asserts received is Choice {
  if (choices.some((one) => one === received)) return;
  throw new ModelError(`${what} must be ${choices.join(' or ')}, received ${received}`);
}
