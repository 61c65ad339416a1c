/** TFLite Metadata 1.0: what the Task Library, ML Kit and code generators read about inputs and outputs.
 *  (tflite-support's metadata_schema.fbs; interop/export/tflite-slots.py compares the numbers with tflite-support's own.) */

import { many, numbers, one, scalar, type Table, type TableValue, text, union } from './flat/fields.ts';

export const METADATA_IDENTIFIER = 'M001';

/** The name under which a model's list of metadata has it. */
export const METADATA_NAME = 'TFLITE_METADATA';

export const COLOR_SPACE = { rgb: 1, grayscale: 2 } as const;

/** One line for each number of a tensor's last axis. */
export const TENSOR_AXIS_LABELS = 2;

/** A file for people, or for a program that knows it by name. */
export const DESCRIPTIONS = 1;

const AssociatedFile = {
  name: text(0),
  description: text(1),
  type: scalar(2, 'int8'),
  locale: text(3),
} satisfies Table;

const ImageSize = { width: scalar(0, 'uint32'), height: scalar(1, 'uint32') } satisfies Table;

const CONTENT = {
  FeatureProperties: { tag: 1, table: {} },
  ImageProperties: { tag: 2, table: { colorSpace: scalar(0, 'int8'), defaultSize: one(1, ImageSize) } },
} satisfies Record<string, { readonly tag: number; readonly table: Table }>;

const Content = { contentProperties: union(1, CONTENT) } satisfies Table;

const PROCESS_UNITS = {
  /** (x − mean) / std, per channel or one for all */
  NormalizationOptions: { tag: 1, table: { mean: numbers(0, 'float32'), std: numbers(1, 'float32') } },
} satisfies Record<string, { readonly tag: number; readonly table: Table }>;

const ProcessUnit = { options: union(1, PROCESS_UNITS) } satisfies Table;

const Stats = { max: numbers(0, 'float32'), min: numbers(1, 'float32') } satisfies Table;

const TensorMetadata = {
  name: text(0),
  description: text(1),
  content: one(3, Content),
  processUnits: many(4, ProcessUnit),
  stats: one(5, Stats),
  associatedFiles: many(6, AssociatedFile),
} satisfies Table;

const SubGraphMetadata = {
  name: text(0),
  description: text(1),
  inputTensorMetadata: many(2, TensorMetadata),
  outputTensorMetadata: many(3, TensorMetadata),
} satisfies Table;

export const ModelMetadata = {
  name: text(0),
  description: text(1),
  version: text(2),
  subgraphMetadata: many(3, SubGraphMetadata),
  author: text(4),
  license: text(5),
  associatedFiles: many(6, AssociatedFile),
  minParserVersion: text(7),
} satisfies Table;

export type MetadataValue = TableValue<typeof ModelMetadata>;
