/** Serving models over HTTP. */

export type { OpenClassifier, ServedClassifier } from './classifier.ts';
export type { Limits } from './limits.ts';
export type { ModelSource } from './model-store.ts';
export { createServer, type InferenceServer, type ServerOptions } from './server.ts';
