/** ONNX as one of the formats of `residual export`. */

import { type ExportFormat, stemFor } from '../format.ts';
import { inferenceGraph } from '../graph/from-model.ts';
import { openGraph } from '../graph/run.ts';
import { decodeOnnx } from './decode.ts';
import { raiseOnnx } from './raise.ts';
import { openOnnx } from './runtime.ts';
import { openOnnxValues } from './values.ts';
import { writeOnnx } from './write.ts';

export const onnxFormat: ExportFormat = {
  name: 'onnx',
  title: 'ONNX',
  precisions: ['float32', 'float16'],
  layouts: ['NCHW', 'NHWC'],
  target: (precision) => `${stemFor(precision)}.onnx`,
  async write({ model, info, precision, softmax, input, layout, opset, version }) {
    const graph = await inferenceGraph(model, info, { softmax, input: input === 'uint8' ? 'bytes' : 'normalised' });
    const bytes = writeOnnx(graph, {
      ...(precision === 'float16' ? { precision } : {}),
      ...(layout === undefined ? {} : { layout }),
      ...(opset === undefined ? {} : { opset }),
      type: input,
      producer: { name: 'residual', version },
    });
    return [{ path: onnxFormat.target(precision), bytes }];
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
