/** The public list of the library for a page, which bundlers find by the condition `browser`: all that needs no file
 *  system, no process and no decoder of Node's. In Node, index.ts adds the rest. */

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
export type { CentroidInit } from './cluster/centroids.ts';
export type { WeightClusteringOptions } from './cluster/weight-clustering.ts';
export { weightClustering } from './cluster/weight-clustering.ts';
export type { ArrayDatasetOptions } from './data/array-dataset.ts';
export { arrayDataset } from './data/array-dataset.ts';
export type { Batch, BatchOptions } from './data/batches.ts';
export { batches } from './data/batches.ts';
export type { Dataset, ImageShape, Normalization, ResizeMode, SkippedFile, Splits } from './data/dataset.ts';
export { closeSplits } from './data/dataset.ts';
export { DataError } from './data/errors.ts';
export { meanAndStd } from './data/statistics.ts';
export type { LabelledProbabilities, LabelQuality, LabelReview, Ranking } from './doctor/confident-learning.ts';
export { reviewLabels } from './doctor/confident-learning.ts';
export type { Calibration, ReliabilityBin } from './evaluate/calibration.ts';
export type { Diagnosis as RunDiagnosis, DiagnosisContext, Verdict } from './evaluate/diagnose.ts';
export { diagnose as diagnoseRun } from './evaluate/diagnose.ts';
export type { KnnOptions } from './evaluate/knn.ts';
export { knn } from './evaluate/knn.ts';
export { learningRateChart } from './evaluate/learning-rate-chart.ts';
export type { LinearProbe, ProbeOptions } from './evaluate/linear-probe.ts';
export { linearProbe } from './evaluate/linear-probe.ts';
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
export type { GradCamOptions, HeatMap } from './explain/grad-cam.ts';
export { gradCam } from './explain/grad-cam.ts';
export type { Heat } from './explain/paint.ts';
export { paintHeat } from './explain/paint.ts';
export type { Region } from './explain/region.ts';
export { seenRegion } from './explain/region.ts';
export type { ArtefactInfo, Layout } from './export/artefact.ts';
export type { ExportFile } from './export/format.ts';
export type { GraphOptions } from './export/graph/from-model.ts';
export { inferenceGraph } from './export/graph/from-model.ts';
export type { GraphNode, InferenceGraph } from './export/graph/graph.ts';
export { printGraph } from './export/graph/print.ts';
export type { RunningGraph } from './export/graph/run.ts';
export { openGraph, runGraph } from './export/graph/run.ts';
export type { OnnxOptions } from './export/onnx/write.ts';
export { writeOnnx } from './export/onnx/write.ts';
export type { SavedModelOptions } from './export/saved-model/write.ts';
export { writeSavedModel } from './export/saved-model/write.ts';
export type { TfjsLayersOptions } from './export/tfjs/layers-write.ts';
export { writeTfjsLayers } from './export/tfjs/layers-write.ts';
export type { WeightStorage } from './export/tfjs/stored-weights.ts';
export type { TfjsOptions } from './export/tfjs/write.ts';
export { writeTfjs } from './export/tfjs/write.ts';
export type { ImportedTflite } from './export/tflite/import.ts';
export { readTflite } from './export/tflite/import.ts';
export type { Edges, TfliteOptions } from './export/tflite/write.ts';
export { writeTflite } from './export/tflite/write.ts';
export type { BatchNormalizationArgs } from './models/batch-normalization.ts';
export { BatchNormalization, batchNormalization } from './models/batch-normalization.ts';
export type { Convention } from './models/blocks.ts';
export { ModelError, WriteError } from './models/errors.ts';
export type { InferenceOptions, Prediction } from './models/inference.ts';
export { predict } from './models/inference.ts';
export type { ModelInfo, Preprocessing } from './models/info.ts';
export type { KnownPreprocessing } from './models/preprocessing.ts';
export { preprocessingOf, setPreprocessing } from './models/preprocessing.ts';
export type { ModelName, ModelOptions } from './models/registry.ts';
export { createModel, modelNames, models } from './models/registry.ts';
export type { ResNetOptions, Stem } from './models/resnet.ts';
export type { BatchNormChoice, FreezeOptions, Frozen, ParameterCounts } from './models/transfer/freeze.ts';
export { freeze, parameterCounts, unfreeze } from './models/transfer/freeze.ts';
export type { ReplaceHeadOptions } from './models/transfer/head.ts';
export { features, replaceHead } from './models/transfer/head.ts';
export type { Part, Parts } from './models/transfer/parts.ts';
export { partsOf } from './models/transfer/parts.ts';
export type { PruneChannelsOptions, PrunedChannels } from './prune/channels.ts';
export { pruneChannels } from './prune/channels.ts';
export type { CompressingOptimizer, MagnitudePruningOptions } from './prune/magnitude-pruning.ts';
export { magnitudePruning } from './prune/magnitude-pruning.ts';
export type { MaskStructure } from './prune/masks.ts';
export type { KernelSparsity } from './prune/sparsity.ts';
export { sparsityOf } from './prune/sparsity.ts';
export type { SparsityScheduleOptions } from './prune/sparsity-schedule.ts';
export type { AssignOptions } from './quantize/assign.ts';
export { assignQuantization } from './quantize/assign.ts';
export type { AwareNetwork, AwareOptions, QuantizeAwareOptions, TrainedRanges } from './quantize/aware/index.ts';
export { freezeStatistics, quantizeAware, trainedQuantization } from './quantize/aware/index.ts';
export type { CalibrateOptions, Observer } from './quantize/calibrate.ts';
export { calibrate, minMax } from './quantize/calibrate.ts';
export { correctBiases, Means } from './quantize/correct-biases.ts';
export type { Equalized, EqualizeOptions } from './quantize/equalize.ts';
export { equalize } from './quantize/equalize.ts';
export type { ObserverName, ObserverOptions } from './quantize/observers/index.ts';
export { entropy, mse, observerNames, percentile } from './quantize/observers/index.ts';
export type { AffineParameters, Quantization, QuantizedWeights, ValueRange } from './quantize/parameters.ts';
export type { PostTrainingOptions, QuantizedGraph } from './quantize/post-training.ts';
export { quantizePostTraining } from './quantize/post-training.ts';
export type { LayerSensitivity, Mending, SensitivityOptions } from './quantize/sensitivity.ts';
export { mend, sensitivityOf } from './quantize/sensitivity.ts';
export { openQuantized } from './quantize/simulate.ts';
export type { AdamW, AdamWOptions } from './train/adamw.ts';
export { adamW } from './train/adamw.ts';
export type { AverageOptions, Averages, EmaOptions, LookaheadOptions } from './train/averages.ts';
export { averageWeights } from './train/averages.ts';
export type { Callback, CallbackRun, Json, Outcome, SampleImages } from './train/callbacks/callback.ts';
export type { EarlyStoppingOptions } from './train/callbacks/early-stopping.ts';
export { earlyStopping } from './train/callbacks/early-stopping.ts';
export type { MonitorName, MonitorOptions } from './train/callbacks/monitor.ts';
export type { Clip } from './train/clip.ts';
export type { CacheOptions } from './train/features/cached-run.ts';
export type { ExtractOptions, Features } from './train/features/extract.ts';
export { extractFeatures } from './train/features/extract.ts';
export type { EpochRecord, HistoryRecord, StepRecord, TroubleKind, TroubleRecord } from './train/history.ts';
export type { LayerRates } from './train/layer-rates.ts';
export { layerRates } from './train/layer-rates.ts';
export type { LearningRateRange, LearningRateRangeOptions, RangePoint } from './train/learning-rate-range.ts';
export { learningRateRange } from './train/learning-rate-range.ts';
export type { TrainResult } from './train/loop.ts';
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
export { train } from './train/train.ts';
export type { UnfreezeStage } from './train/unfreezing.ts';
export type { Builder } from './weights/builder.ts';
export { WeightsError } from './weights/errors.ts';
export type { Unfit } from './weights/fit.ts';
export type { Candidate, Identity } from './weights/identify.ts';
export { identify } from './weights/identify.ts';
export type { KerasFile, KerasLayer, KerasTensor } from './weights/keras/keras-file.ts';
export { modelFromKeras } from './weights/keras/model-from-keras.ts';
export type { KerasH5Options } from './weights/keras/write-keras.ts';
export { kerasH5 } from './weights/keras/write-keras.ts';
export type { LoadOptions, LoadReport } from './weights/load.ts';
export { loadWeights } from './weights/load.ts';
export type { WeightMapName } from './weights/maps/index.ts';
export type { OnnxEdge, OnnxNode, OnnxValue } from './weights/onnx/nodes.ts';
export type { OnnxFile } from './weights/onnx/onnx.ts';
export { readOnnx } from './weights/onnx/onnx.ts';
export type { OpenWeightsOptions } from './weights/open.ts';
export { openWeights } from './weights/open.ts';
export { pretrained } from './weights/page.ts';
export { resnet18, resnet34, resnet50 } from './weights/page-networks.ts';
export type { PretrainedOptions } from './weights/pretrained.ts';
export type { Siblings } from './weights/reader.ts';
export { weightsEntries } from './weights/registry/entries.ts';
export type { ClassList, PublishedAccuracy, PublishedPreprocessing, WeightsEntry } from './weights/registry/entry.ts';
export { findWeights } from './weights/registry/find.ts';
export { imagenetClasses, imagenetSynsets } from './weights/registry/imagenet-classes.ts';
export { classesOf, preprocessingOf as preprocessingOfEntry } from './weights/registry/preprocessing.ts';
export { reportLines } from './weights/report.ts';
export type { NamedValues, SafetensorsOptions } from './weights/safetensors-writer.ts';
export { safetensors } from './weights/safetensors-writer.ts';
export type { ByteSource } from './weights/source.ts';
export type { StoredType, WeightFile, WeightFormat, WeightTensor } from './weights/tensor.ts';
export type { TensorflowFile, TensorflowTensor } from './weights/tensorflow/tensorflow.ts';
export { readTensorflow } from './weights/tensorflow/tensorflow.ts';
export type { TfjsFile } from './weights/tfjs/tfjs.ts';
export { readTfjs } from './weights/tfjs/tfjs.ts';
export type { TorchState } from './weights/torch-state.ts';
export { torchState } from './weights/torch-state.ts';
