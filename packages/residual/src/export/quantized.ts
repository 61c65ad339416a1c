/** The integers of an int8 file, whatever its format: by the ranges that the model was trained with where it was, else by
 *  what the pictures of the export request show. */

import { ModelError } from '../models/errors.ts';
import { trainedQuantization } from '../quantize/aware/trained-ranges.ts';
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
  { model, calibration, signal, postTraining, onQuantized }: ExportRequest,
  scheme?: PostTrainingOptions['scheme'],
): Promise<QuantizedGraph> {
  // Who asks for a way of calibrating does not want what was trained.
  const { observer, percentile, equalize, biasCorrection, bits, keepFloat } = postTraining ?? {};
  const asked = [observer, percentile, bits].some((one) => one !== undefined) || equalize || biasCorrection;
  const options = { ...(scheme && { scheme }), ...(keepFloat && { keepFloat }) };
  const trained = asked ? undefined : await trainedQuantization(model, graph, options);
  if (trained) {
    const quantized = { graph, quantization: trained };
    onQuantized?.(quantized);
    return quantized;
  }
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
