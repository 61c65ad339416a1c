/** TFLite as one of the formats of `residual export`. */

import { ModelError } from '../../models/errors.ts';
import { assignQuantization } from '../../quantize/assign.ts';
import { trainedQuantization } from '../../quantize/aware/trained-ranges.ts';
import { calibrate } from '../../quantize/calibrate.ts';
import type { Quantization } from '../../quantize/parameters.ts';
import { openQuantized } from '../../quantize/simulate.ts';
import type { Precision } from '../artefact.ts';
import { type ExportFormat, type ExportRequest, stemFor } from '../format.ts';
import { inferenceGraph } from '../graph/from-model.ts';
import type { InferenceGraph } from '../graph/graph.ts';
import { openGraph } from '../graph/run.ts';
import type { WeightStorage } from './constants.ts';
import { readTflite } from './import.ts';
import { writeTflite } from './write.ts';

const storages: Readonly<Record<Precision, WeightStorage>> = {
  float32: 'none',
  float16: 'float16',
  dynamic: 'dynamic',
  int8: 'int8',
};

export const tfliteFormat: ExportFormat = {
  name: 'tflite',
  title: 'TFLite',
  precisions: ['float32', 'float16', 'dynamic', 'int8'],
  layouts: ['NHWC'],
  target: (precision) => `${stemFor(precision)}.tflite`,
  async write(request) {
    const { model, info, precision, softmax, input } = request;
    // Only a file of integers can take them. A caller who has bytes gives bytes.
    const edges = precision === 'int8' ? (request.edges ?? (input === 'uint8' ? 'uint8' : 'float')) : 'float';
    const bytes = input === 'uint8' || edges === 'uint8';
    const graph = await inferenceGraph(model, info, { softmax, input: bytes ? 'bytes' : 'normalised' });
    const written = writeTflite(graph, {
      quantize: storages[precision],
      edges,
      ...(precision === 'int8' && {
        quantization: (await trainedQuantization(model, graph)) ?? (await quantizationFor(graph, request)),
      }),
    });
    return [{ path: tfliteFormat.target(precision), bytes: written }];
  },
  recognises: ([file, ...others]) => file !== undefined && others.length === 0 && file.path.endsWith('.tflite'),
  read: ([file]) => {
    if (!file) throw new Error('internal: there is no file');
    const { graph, quantization } = readTflite(file.bytes, file.path);
    return quantization ? openQuantized(graph, quantization) : openGraph(graph);
  },
  async open([file]) {
    if (!file) throw new Error('internal: there is no file');
    const { openTflite } = await import('./node/runtime.ts');
    return openTflite(file.bytes, file.path);
  },
};

const CALIBRATION_BATCH = 32;

async function quantizationFor(graph: InferenceGraph, request: ExportRequest): Promise<Quantization> {
  const { calibration, signal } = request;
  if (!calibration) throw new ModelError('int8 files need images to calibrate on');
  const { mean, std } = graph.preprocessing;
  const channels = mean.length;
  async function* batches(): AsyncGenerator<Float32Array> {
    for await (const { bytes } of (calibration as NonNullable<typeof calibration>).batches(CALIBRATION_BATCH)) {
      yield graph.input.range === 'bytes'
        ? bytes
        : Float32Array.from(bytes, (byte, i) => (byte / 255 - mean[i % channels]) / std[i % channels]);
    }
  }
  return assignQuantization(graph, await calibrate(graph, batches(), { ...(signal && { signal }) }));
}
