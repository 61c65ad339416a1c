/** The integers of an int8 file, whatever its format: the pictures of an export request as a calibration wants them. */

import { ModelError } from '../models/errors.ts';
import { type PostTrainingOptions, type QuantizedGraph, quantizePostTraining } from '../quantize/post-training.ts';
import type { ExportRequest } from './format.ts';
import type { InferenceGraph } from './graph/graph.ts';
import { normalised, type Pictures } from './measure.ts';

const CALIBRATION_BATCH = 32;

/**
 * @param scheme what the format asks of values between layers. Default `asymmetric`.
 * @throws ModelError where the request has no calibration pictures, and as `quantizePostTraining`
 */
export async function quantizedFor(
  graph: InferenceGraph,
  { calibration, signal, postTraining, onQuantized }: ExportRequest,
  scheme?: PostTrainingOptions['scheme'],
): Promise<QuantizedGraph> {
  if (!calibration) throw new ModelError('int8 files need images to calibrate on');
  const quantized = await quantizePostTraining(graph, imagesOf(graph, calibration), {
    ...postTraining,
    ...(scheme && { scheme }),
    ...(signal && { signal }),
  });
  onQuantized?.(quantized);
  return quantized;
}

async function* imagesOf(graph: InferenceGraph, pictures: Pictures): AsyncGenerator<Float32Array> {
  for await (const { bytes } of pictures.batches(CALIBRATION_BATCH)) yield inputOf(graph, bytes);
}

/** Bytes of pictures as a graph's input wants them. */
export function inputOf({ input, preprocessing }: InferenceGraph, bytes: Float32Array): Float32Array {
  return input.range === 'bytes' ? bytes : normalised(bytes, preprocessing);
}
