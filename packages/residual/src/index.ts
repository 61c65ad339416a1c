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
export type { ArrayDatasetOptions } from './data/array-dataset.ts';
export { arrayDataset } from './data/array-dataset.ts';
export type {
  Batch,
  BatchOptions,
  Dataset,
  Excluded,
  ExclusionList,
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
export type { Diagnosis as DataDiagnosis } from './doctor/data-doctor.ts';
export { diagnose as diagnoseData } from './doctor/data-doctor.ts';
export type { Case, Finding, Severity } from './doctor/finding.ts';
export type { QuickOptions } from './doctor/fold-training.ts';
export { quickTraining } from './doctor/fold-training.ts';
export type { Examined } from './doctor/inspect.ts';
export type { FoldTraining, OutOfFold, OutOfFoldOptions } from './doctor/out-of-fold.ts';
export { outOfFold } from './doctor/out-of-fold.ts';
export type { Doubt, PredictedPart, Reviewed } from './doctor/suspects.ts';
export { reviewParts, suspectsCsv } from './doctor/suspects.ts';
export type { Calibration, ReliabilityBin } from './evaluate/calibration.ts';
export type { Diagnosis as RunDiagnosis, DiagnosisContext, Verdict } from './evaluate/diagnose.ts';
export { diagnose as diagnoseRun } from './evaluate/diagnose.ts';
export { learningRateChart } from './evaluate/learning-rate-chart.ts';
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
export type { LoadedRecipe, Override, Recipe, RecipeRun, RunOptions } from './recipe/index.ts';
export { loadRecipe, RecipeError, recipeNames, trainWithRecipe } from './recipe/index.ts';
export type { AdamW, AdamWOptions } from './train/adamw.ts';
export { adamW } from './train/adamw.ts';
export type { AverageOptions, Averages, EmaOptions, LookaheadOptions } from './train/averages.ts';
export { averageWeights } from './train/averages.ts';
export type { BestModelOptions } from './train/callbacks/best-model.ts';
export { bestModel } from './train/callbacks/best-model.ts';
export type { Callback, CallbackRun, Json, Outcome, SampleImages } from './train/callbacks/callback.ts';
export type { EarlyStoppingOptions } from './train/callbacks/early-stopping.ts';
export { earlyStopping } from './train/callbacks/early-stopping.ts';
export type { LogOptions } from './train/callbacks/log.ts';
export { csvLog, jsonLog } from './train/callbacks/log.ts';
export type { MonitorName, MonitorOptions } from './train/callbacks/monitor.ts';
export type { TensorBoardOptions } from './train/callbacks/tensorboard.ts';
export { tensorBoard } from './train/callbacks/tensorboard.ts';
export type { TfCallbackOptions } from './train/callbacks/tf-callback.ts';
export { asTfCallback } from './train/callbacks/tf-callback.ts';
export type { Clip } from './train/clip.ts';
export type { EpochRecord, HistoryRecord, StepRecord, TroubleKind, TroubleRecord } from './train/history.ts';
export { readHistory } from './train/history.ts';
export type { LearningRateRange, LearningRateRangeOptions, RangePoint } from './train/learning-rate-range.ts';
export { learningRateRange } from './train/learning-rate-range.ts';
export type { ClassWeights, Loss, LossOptions } from './train/losses.ts';
export {
  balancedWeights,
  binaryCrossEntropy,
  crossEntropy,
  distillation,
  focal,
  lossFromData,
} from './train/losses.ts';
export type { Muon, MuonOptions } from './train/muon.ts';
export { muon } from './train/muon.ts';
export type { OptimizerOptions, ScheduledOptimizer } from './train/optimizer.ts';
export type { EpochEvent, StepEvent, TrainOptions } from './train/options.ts';
export type { PlateauOptions, ReduceOnPlateau } from './train/plateau.ts';
export { reduceOnPlateau } from './train/plateau.ts';
export type { Schedule, WatchingSchedule } from './train/schedule.ts';
export { scheduleFromData, scheduleNames, scheduleToData } from './train/schedule-config.ts';
export {
  constant,
  cosineDecay,
  cosineDecayRestarts,
  exponentialDecay,
  oneCycle,
  piecewiseConstant,
  polynomialDecay,
} from './train/schedules.ts';
export type { SGD, SgdOptions } from './train/sgd.ts';
export { sgd } from './train/sgd.ts';
export type { TrainResult } from './train/train.ts';
export { train } from './train/train.ts';
export type {
  Dimension,
  ResultRecord,
  SearchRecord,
  TrialRecord,
  TuneBest,
  TuneOptions,
  TuneResult,
} from './tune/index.ts';
export { dimensionOf, tune } from './tune/index.ts';
