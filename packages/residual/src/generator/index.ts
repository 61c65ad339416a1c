/** The public list of Keras's ImageDataGenerator in TypeScript. */
export type { Images, ImageTargets } from './arrays.ts';
export type { FlowBatch, FlowOptions, RepeatedFlow } from './flow.ts';
export { ImageFlow } from './flow.ts';
export type { FitOptions } from './image-data-generator.ts';
export { ImageDataGenerator, imageDataGenerator } from './image-data-generator.ts';
export type { CsvClassMode, CsvFlowOptions } from './node/csv.ts';
export type { DirectoryFlowOptions } from './node/directory.ts';
export type { ColorMode, FileFlowOptions } from './node/files.ts';
export type { ImageDataGeneratorOptions, PreprocessingFunction } from './options.ts';
export type { ClassMode } from './targets.ts';
