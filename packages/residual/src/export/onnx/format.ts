/** ONNX as one of the formats of `residual export`. */

import { openQuantized } from '../../quantize/simulate.ts';
import type { Precision } from '../artefact.ts';
import { type ExportFormat, plainInputs, stemFor } from '../format.ts';
import { inferenceGraph } from '../graph/from-model.ts';
import { openGraph } from '../graph/run.ts';
import { quantizedFor } from '../quantized.ts';
import { decodeOnnx } from './decode.ts';
import { type QuantizationProfile, schemeOf } from './placement.ts';
import { raiseOnnx } from './raise.ts';
import { openOnnx } from './runtime.ts';
import { openOnnxValues } from './values.ts';
import { type OnnxOptions, writeOnnx } from './write.ts';

export const onnxFormat: ExportFormat = {
  name: 'onnx',
  title: 'ONNX',
  precisions: ['float32', 'float16', 'int8'],
  layouts: ['NCHW', 'NHWC'],
  inputs: [...plainInputs, 'picture'],
  target: nameFor,
  async write(request) {
    const { model, info, precision, softmax, input, layout, opset, version, profile = 'cpu' } = request;
    const graph = await inferenceGraph(model, info, { softmax, input: input === 'float32' ? 'normalised' : 'bytes' });
    const options: OnnxOptions = {
      ...(layout === undefined ? {} : { layout }),
      ...(opset === undefined ? {} : { opset }),
      type: input,
      producer: { name: 'residual', version },
    };
    const path = nameFor(precision, profile);
    if (precision !== 'int8') {
      return [{ path, bytes: writeOnnx(graph, { ...options, ...(precision === 'float16' && { precision }) }) }];
    }
    const quantized = await quantizedFor(graph, request, schemeOf(profile));
    const { quantization } = quantized;
    return [{ path, bytes: writeOnnx(quantized.graph, { ...options, precision, profile, quantization }) }];
  },
  recognises: ([file, ...others]) => file !== undefined && others.length === 0 && file.path.endsWith('.onnx'),
  read: ([file]) => {
    if (!file) throw new Error('internal: there is no file');
    const { graph, quantization } = raiseOnnx(decodeOnnx(file.bytes, file.path), file.path);
    return quantization ? openQuantized(graph, quantization) : openGraph(graph);
  },
  async open([file]) {
    if (!file) throw new Error('internal: there is no file');
    return openOnnx(file.bytes, file.path);
  },
  async openValues([file], graph) {
    if (!file) throw new Error('internal: there is no file');
    return openOnnxValues(file.bytes, graph, file.path);
  },
};

/** All profiles may lie in one folder. */
function nameFor(precision: Precision, profile: QuantizationProfile = 'cpu'): string {
  return `${stemFor(precision)}${precision === 'int8' && profile !== 'cpu' ? `-${profile}` : ''}.onnx`;
}
