/** The public list of the library `residual`: nothing else is.
 *  It runs on whatever TF.js backend is set; `import 'tfjs-backend-jit'` for the one that compiles. */

export type { Picture, RandomCrop, RandomFlip, Transform } from './augment/index.ts';
export { randomCrop, randomFlip } from './augment/index.ts';
export type {
  Batch,
  BatchOptions,
  Dataset,
  Excluded,
  ExclusionList,
  IdxOptions,
  ImageFolderOptions,
  ImageShape,
  Normalization,
  OpenOptions,
  ResizeMode,
  SkippedFile,
  Splits,
} from './data/index.ts';
export {
  batches,
  cifar10,
  cifar100,
  closeSplits,
  DataError,
  decodeImage,
  exclude,
  fashionMnist,
  idxFiles,
  imageFolder,
  meanAndStd,
  mnist,
  openData,
  readExclusions,
  subset,
} from './data/index.ts';
export type { LabelledProbabilities, LabelQuality, LabelReview, Ranking } from './doctor/confident-learning.ts';
export { reviewLabels } from './doctor/confident-learning.ts';
export type { Diagnosis } from './doctor/data-doctor.ts';
export { diagnose } from './doctor/data-doctor.ts';
export type { Case, Finding, Severity } from './doctor/finding.ts';
export type { QuickOptions } from './doctor/fold-training.ts';
export { quickTraining } from './doctor/fold-training.ts';
export type { Examined } from './doctor/inspect.ts';
export type { FoldTraining, OutOfFold, OutOfFoldOptions } from './doctor/out-of-fold.ts';
export { outOfFold } from './doctor/out-of-fold.ts';
export type { Doubt, PredictedPart, Reviewed } from './doctor/suspects.ts';
export { reviewParts, suspectsCsv } from './doctor/suspects.ts';
export type { Calibration, ReliabilityBin } from './evaluate/calibration.ts';
export type {
  ClassMetrics,
  EvaluateOptions,
  Evaluation,
  Mistake,
  Predictions,
  Recalibrated,
} from './evaluate/metrics.ts';
export { evaluate, predictAll } from './evaluate/metrics.ts';
export type { RocPoint } from './evaluate/roc.ts';
export type { Predicted, Scores } from './evaluate/scores.ts';
export { scoresOf } from './evaluate/scores.ts';
export type { TemperatureFit } from './evaluate/temperature.ts';
export { fitTemperature, withTemperature } from './evaluate/temperature.ts';
export type { BatchNormalizationArgs } from './models/batch-normalization.ts';
export { BatchNormalization, batchNormalization } from './models/batch-normalization.ts';
export type { Convention } from './models/blocks.ts';
export { ModelError, WriteError } from './models/errors.ts';
export type { InferenceOptions, Prediction } from './models/inference.ts';
export { predict } from './models/inference.ts';
export type { ModelInfo, Preprocessing } from './models/info.ts';
export type { ModelName, ModelOptions } from './models/registry.ts';
export { createModel, modelNames, models } from './models/registry.ts';
export type { ResNetOptions, Stem } from './models/resnet.ts';
export { resnet18, resnet34, resnet50 } from './models/resnet.ts';
export { loadModel, saveModel } from './models/saved-model.ts';
export type { EpochRecord, HistoryRecord, StepRecord } from './train/history.ts';
export { readHistory } from './train/history.ts';
export type { EpochEvent, StepEvent, TrainOptions } from './train/options.ts';
export type { Schedule } from './train/schedules.ts';
export { constant, cosineDecay } from './train/schedules.ts';
export type { SGD, SgdOptions } from './train/sgd.ts';
export { sgd } from './train/sgd.ts';
export type { TrainResult } from './train/train.ts';
export { train } from './train/train.ts';
