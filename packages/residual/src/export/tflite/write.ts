/** An inference graph → the bytes of a `.tflite` file, for Android, iOS, LiteRT and everything else that reads it.
 *  Layer by layer in the graph's order; the same graph gives the same bytes. */

import { ModelError } from '../../models/errors.ts';
import type { Quantization } from '../../quantize/parameters.ts';
import type { InferenceGraph } from '../graph/graph.ts';
import type { WeightStorage } from './constants.ts';
import { writeFlat } from './flat/write.ts';
import { lowerNode } from './lower.ts';
import { metadataOf } from './metadata.ts';
import { METADATA_NAME } from './metadata-schema.ts';
import { TfliteModel } from './model.ts';
import { IDENTIFIER, Model } from './schema.ts';
import { type Form, Values } from './values.ts';
import { appendZip } from './zip.ts';

/** The type of the numbers that a caller gives and gets. */
export type Edges = 'float' | 'int8' | 'uint8';

export interface TfliteOptions {
  /** How numbers are stored. Default `none`: 32-bit floats. */
  readonly quantize?: WeightStorage;
  /** Scales and integers for `quantize: 'int8'`, e.g. from `assignQuantization`. */
  readonly quantization?: Quantization;
  /**
   * For `quantize: 'int8'`: what goes in and comes out. `float` (the default) suits every caller. `uint8` is what
   * Android's and iOS's Task Library gives an integer model: bytes of a picture, so the graph's input must be of bytes.
   */
  readonly edges?: Edges;
  /**
   * Images at a time. Default 1, which every runtime loads, and which TensorFlow's interpreter may resize all the same:
   * nothing in the file rests on it. `dynamic` declares the size open; LiteRT in a page or in Node refuses such files.
   */
  readonly batch?: number | 'dynamic';
}

const FORMS: Readonly<Record<Edges, Form>> = { float: 'float32', int8: 'int8', uint8: 'uint8' };

/**
 * Writes a TFLite model with its metadata: class names, normalisation, signature `serving_default`.
 *
 * @throws ModelError for options that contradict each other, and for padding that TFLite does not have
 * @example await writeFile('model.tflite', writeTflite(graph, { quantize: 'float16' }))
 */
export function writeTflite(graph: InferenceGraph, options: TfliteOptions = {}): Uint8Array {
  const { quantize = 'none', quantization, edges = 'float', batch = 1 } = options;
  checkOptions(graph, options);
  const model = new TfliteModel();
  const values = new Values(model, graph, quantization, batch === 'dynamic' ? -1 : batch);
  const input = values.make(graph.input.name, FORMS[edges]);
  const lowering = { model, graph, values, storage: quantize, ...(quantization && { quantization }) };
  for (const node of graph.nodes) lowerNode(lowering, node);
  const output = values.read(graph.output, FORMS[edges]);
  const { metadata, files } = metadataOf(graph, quantize === 'none' ? 'float32' : quantize);
  model.note(METADATA_NAME, metadata);
  const description = `${graph.name}, written by residual`;
  const flat = writeFlat(Model, model.finish(description, { input, output }), IDENTIFIER, model.size + 65536);
  return appendZip(flat, files);
}

function checkOptions(graph: InferenceGraph, options: TfliteOptions): void {
  const { quantize = 'none', quantization, edges = 'float', batch = 1 } = options;
  const fail = (message: string) => new ModelError(`tflite: ${message}`);
  if (quantize === 'int8' && !quantization) throw fail('quantize int8 needs the scales of a calibration');
  if (quantize !== 'int8' && quantization)
    throw fail(`quantize ${quantize} takes no scales of a calibration; int8 does`);
  if (quantize !== 'int8' && edges !== 'float') {
    throw fail(`edges ${edges} need quantize int8, received ${quantize}; choices: float`);
  }
  if (edges === 'uint8' && graph.input.range !== 'bytes') {
    throw fail('edges uint8 need a graph whose input is bytes: a caller gives a picture as it is');
  }
  if (batch !== 'dynamic' && !(Number.isSafeInteger(batch) && batch > 0)) {
    throw fail(`batch must be a positive whole number or dynamic, received ${batch}`);
  }
}
