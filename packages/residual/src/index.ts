/** The public list of the library `residual`: nothing else is.
 *  It runs on whatever TF.js backend is set; `import 'tfjs-backend-jit'` for the one that compiles. */

export type {
  AlternatingFlip,
  AugMix,
  ColorJitter,
  CutMix,
  Cutout,
  FillMode,
  GaussianBlur,
  Mixup,
  Picture,
  RandAugment,
  RandomAffine,
  RandomCrop,
  RandomErasing,
  RandomFlip,
  RandomGrayscale,
  RandomResizedCrop,
  RandomTransform,
  TestTimeAugmentation,
  Transform,
  TrivialAugment,
} from './augment/index.ts';
export {
  alternatingFlip,
  augMix,
  augment,
  colorJitter,
  cutMix,
  cutout,
  gaussianBlur,
  mixup,
  parseTransforms,
  randAugment,
  randomAffine,
  randomCrop,
  randomErasing,
  randomFlip,
  randomGrayscale,
  randomResizedCrop,
  randomTransform,
  transformNames,
  transformOf,
  transformOptions,
  trivialAugment,
} from './augment/index.ts';
export type {
  Batch,
  BatchOptions,
  Dataset,
  IdxOptions,
  ImageFolderOptions,
  ImageShape,
  Interpolation,
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
  fashionMnist,
  idxFiles,
  imageFolder,
  meanAndStd,
  mnist,
  openData,
} from './data/index.ts';
export type { ClassMetrics, EvaluateOptions, Evaluation, Mistake } from './evaluate/metrics.ts';
export { evaluate } from './evaluate/metrics.ts';
export type {
  ClassMode,
  ColorMode,
  CsvClassMode,
  CsvFlowOptions,
  DirectoryFlowOptions,
  FileFlowOptions,
  FitOptions,
  FlowBatch,
  FlowOptions,
  ImageDataGeneratorOptions,
  ImageFlow,
  Images,
  ImageTargets,
  PreprocessingFunction,
  RepeatedFlow,
} from './generator/index.ts';
export { ImageDataGenerator, imageDataGenerator } from './generator/index.ts';
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
