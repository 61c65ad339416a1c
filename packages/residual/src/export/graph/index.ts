/** The inference graph, for exporters and the quantizer. */

export { checkGraph } from './check.ts';
export type { DraftGraph, GraphOptions } from './from-model.ts';
export { draftGraph, inferenceGraph } from './from-model.ts';
export type * from './graph.ts';
export { constantsOf, isClamped, shapesOf, sizeOf } from './graph.ts';
export { supportedLayers } from './layers.ts';
export { printGraph } from './print.ts';
export type { RunningGraph, RunOptions } from './run.ts';
export { activated, applyNode, openGraph, runGraph } from './run.ts';
