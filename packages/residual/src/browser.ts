/** The public list of the library for a page, which bundlers find by the condition `browser`: all of index.ts that
 *  needs no file system, no process and no decoder of Node's. */

export type { Picture, RandomCrop, RandomFlip, Transform } from './augment/index.ts';
export { randomCrop, randomFlip } from './augment/index.ts';
export type { ArrayDatasetOptions } from './data/array-dataset.ts';
export { arrayDataset } from './data/array-dataset.ts';
export type { Batch, BatchOptions } from './data/batches.ts';
export { batches } from './data/batches.ts';
export type { Dataset, ImageShape, Normalization, ResizeMode, SkippedFile, Splits } from './data/dataset.ts';
export { closeSplits } from './data/dataset.ts';
export { DataError } from './data/errors.ts';
export { meanAndStd } from './data/statistics.ts';
export type { ClassMetrics, EvaluateOptions, Evaluation, Mistake } from './evaluate/metrics.ts';
export { evaluate } from './evaluate/metrics.ts';
export type { BatchNormalizationArgs } from './models/batch-normalization.ts';
export { BatchNormalization, batchNormalization } from './models/batch-normalization.ts';
export type { Convention } from './models/blocks.ts';
export { ModelError } from './models/errors.ts';
export type { InferenceOptions, Prediction } from './models/inference.ts';
export { predict } from './models/inference.ts';
export type { ModelInfo, Preprocessing } from './models/info.ts';
export type { ModelName, ModelOptions } from './models/registry.ts';
export { createModel, modelNames, models } from './models/registry.ts';
export type { ResNetOptions, Stem } from './models/resnet.ts';
export { resnet18, resnet34, resnet50 } from './models/resnet.ts';
export type { EpochRecord, HistoryRecord, StepRecord } from './train/history.ts';
export type { EpochEvent, StepEvent, TrainOptions } from './train/options.ts';
export type { Schedule } from './train/schedule.ts';
export { constant, cosineDecay } from './train/schedules.ts';
export type { SGD, SgdOptions } from './train/sgd.ts';
export { sgd } from './train/sgd.ts';
export type { TrainResult } from './train/train.ts';
export { train } from './train/train.ts';
