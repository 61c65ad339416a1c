/** The public list of data sets, their readers, and what makes batches of them. Runs in Node; what a page needs too
 *  (dataset.ts, batches.ts, …) imports nothing of Node's by itself. */
export type { Batch, BatchOptions } from './batches.ts';
export { batches, batchesPerEpoch, shuffledOrder } from './batches.ts';
export type {
  BatchRequest,
  Dataset,
  ImageShape,
  Interpolation,
  Normalization,
  ProducedBatch,
  ProduceOptions,
  ResizeMode,
  SkippedFile,
  Splits,
} from './dataset.ts';
export { closeSplits } from './dataset.ts';
export { DataError } from './errors.ts';
export { foldParts, stratifiedFolds } from './folds.ts';
export { cifar10, cifar100 } from './node/cifar-files.ts';
export type { DecodeOptions } from './node/decode.ts';
export { decodeImage } from './node/decode.ts';
export { fashionMnist } from './node/embedded.ts';
export type { Excluded, ExclusionList } from './node/exclude.ts';
export { exclude, readExclusions } from './node/exclude.ts';
export type { IdxOptions, IdxPaths } from './node/idx-files.ts';
export { idxFiles, mnist } from './node/idx-files.ts';
export type { ImageFolderOptions } from './node/image-folder.ts';
export { imageFolder } from './node/image-folder.ts';
export type { MemoryOptions } from './node/memory-splits.ts';
export type { OpenOptions } from './node/open.ts';
export { openData } from './node/open.ts';
export { Random, streams } from './random.ts';
export type { Split } from './split.ts';
export { stratifiedSplit } from './split.ts';
export { meanAndStd } from './statistics.ts';
export type { SubsetOptions } from './subset.ts';
export { subset } from './subset.ts';
