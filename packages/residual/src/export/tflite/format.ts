/** TFLite as one of the formats of `residual export`. */

import { openQuantized } from '../../quantize/simulate.ts';
import type { Precision } from '../artefact.ts';
import { checkChoice, type ExportFormat, plainInputs, stemFor } from '../format.ts';
import { inferenceGraph } from '../graph/from-model.ts';
import { openGraph } from '../graph/run.ts';
import { quantizedFor } from '../quantized.ts';
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
  inputs: plainInputs,
  target: (precision) => `${stemFor(precision)}.tflite`,
  async write(request) {
    const { model, info, precision, softmax, input } = request;
    // Only a file of integers can take them. A caller who has bytes gives bytes.
    const edges = precision === 'int8' ? (request.edges ?? (input === 'uint8' ? 'uint8' : 'float')) : 'float';
    const bytes = input === 'uint8' || edges === 'uint8';
    checkChoice('TFLite: input', plainInputs, input);
    const graph = await inferenceGraph(model, info, { softmax, input: bytes ? 'bytes' : 'normalised' });
    const quantize = storages[precision];
    const quantized = precision === 'int8' ? await quantizedFor(graph, request) : undefined;
    const written = quantized
      ? writeTflite(quantized.graph, { quantize, edges, quantization: quantized.quantization })
      : writeTflite(graph, { quantize, edges });
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
  async openValues([file], { nodes }) {
    if (!file) throw new Error('internal: there is no file');
    const { openTfliteValues } = await import('./node/values.ts');
    return openTfliteValues(
      file.bytes,
      nodes.map(({ output }) => output),
      file.path,
    );
  },
};
