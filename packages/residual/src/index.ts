/** The public list of the library `residual`: nothing else is.
 *  It runs on whatever TF.js backend is set; `import 'tfjs-backend-jit'` for the one that compiles. */

// What a page has too.
export * from './browser.ts';
// What needs Node: files, threads that decode, and all that stands on them.
export type {
  Excluded,
  ExclusionList,
  IdxOptions,
  ImageFolderOptions,
  Interpolation,
  OpenOptions,
} from './data/index.ts';
export {
  cifar10,
  cifar100,
  decodeImage,
  exclude,
  fashionMnist,
  idxFiles,
  imageFolder,
  mnist,
  openData,
  readExclusions,
  subset,
} from './data/index.ts';
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
export { heatPicture } from './explain/node/heat-picture.ts';
export { openOnnx } from './export/onnx/runtime.ts';
export type { RunningFile } from './export/runtime.ts';
export type { LiteRtModel } from './export/tflite/node/litert.ts';
export { openLiteRt } from './export/tflite/node/litert.ts';
export { openTflite } from './export/tflite/node/runtime.ts';
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
export { loadModel, saveModel } from './models/saved-model.ts';
export type { LoadedRecipe, Override, Recipe, RecipeRun, RunOptions } from './recipe/index.ts';
export { loadRecipe, RecipeError, recipeNames, trainWithRecipe } from './recipe/index.ts';
export type { BestModelOptions } from './train/callbacks/best-model.ts';
export { bestModel } from './train/callbacks/best-model.ts';
export type { LogOptions } from './train/callbacks/log.ts';
export { csvLog, jsonLog } from './train/callbacks/log.ts';
export type { TensorBoardOptions } from './train/callbacks/tensorboard.ts';
export { tensorBoard } from './train/callbacks/tensorboard.ts';
export type { TfCallbackOptions } from './train/callbacks/tf-callback.ts';
export { asTfCallback } from './train/callbacks/tf-callback.ts';
export { readHistory } from './train/history.ts';
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
export { writeKerasH5 } from './weights/keras/write-keras.ts';
export { weightsCache } from './weights/node/cache-folder.ts';
export type { DownloadProgress } from './weights/node/download.ts';
export { openWeights } from './weights/node/open-path.ts';
// Of the same names as a page's, these also take paths; and all but the first, URLs and names of public weights.
export type { WeightsSource } from './weights/node/pretrained.ts';
export { loadWeights, pretrained, resnet18, resnet34, resnet50 } from './weights/node/pretrained.ts';
export type { ResolvedWeights, ResolveOptions } from './weights/node/resolve.ts';
export { resolveWeights, weightsOnDisk } from './weights/node/resolve.ts';
export { writeSafetensors } from './weights/node/write-safetensors.ts';
