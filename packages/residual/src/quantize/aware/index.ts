/** Quantization-aware training. */

export type { AwareNetwork, QuantizeAwareOptions } from './aware-model.ts';
export { quantizeAware } from './aware-model.ts';
export { freezeStatistics } from './freeze-statistics.ts';
export type { AwareOptions, AwareSettings } from './options.ts';
export type { TrainedRanges } from './trained-ranges.ts';
export { quantizationFrom, trainedQuantization, trainedRangesOf } from './trained-ranges.ts';
