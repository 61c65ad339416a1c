/** `writeOnnx`: a trained classifier as an ONNX file that ONNX Runtime, TensorRT, OpenVINO and others take. */

import { ModelError } from '../../models/errors.ts';
import type { Quantization } from '../../quantize/parameters.ts';
import type { Layout } from '../artefact.ts';
import type { InferenceGraph } from '../graph/graph.ts';
import { encodeOnnx } from './encode.ts';
import { toFloat16 } from './float16.ts';
import { lowerToOnnx } from './lower.ts';
import { irVersions, type OnnxModel } from './model.ts';
import { type QuantizationProfile, quantizationProfiles, schemeOf } from './placement.ts';

export interface OnnxOptions {
  /** 13 to 17: the set of operators, and with it the age of the runtimes that take the file. Default 17. */
  readonly opset?: number;
  /** `float16` halves the file, `int8` makes a quarter of it and needs a `quantization`. Default `float32`. */
  readonly precision?: 'float32' | 'float16' | 'int8';
  /** With `float16`: what goes in and comes out is float32 still, or float16 as well. Default `float32`. */
  readonly edges?: 'float32' | 'float16';
  /** How pictures lie in the input. Default `NCHW`, as torchvision; `NHWC` where the input is `uint8`. */
  readonly layout?: Layout;
  /**
   * The input's type: `uint8` takes pictures of the input's size as they are, and needs a graph that was made with
   * `input: 'bytes'`. `picture` is the same for pictures of any size: the file resizes and cuts them too (channels last;
   * what is not for float16). Default `float32`.
   */
  readonly type?: 'float32' | 'uint8' | 'picture';
  /** Of `int8`: from `assignQuantization`, whose scheme must be `symmetric` for TensorRT's profiles. */
  readonly quantization?: Quantization;
  /** Of `int8`: which runtime the file is for, see {@link QuantizationProfile}. Default `cpu`. */
  readonly profile?: QuantizationProfile;
  /** Who made the file. Default `residual`. */
  readonly producer?: OnnxModel['producer'];
}

/**
 * A graph as an ONNX model: input `input` [batch, channels, height, width], output `output` [batch, classes], any batch.
 * Labels and preprocessing are in its metadata properties (`labels` and `preprocessing`, JSON).
 *
 * Integers stand in pairs of QuantizeLinear and DequantizeLinear around operators of floats (QDQ): what comes in and
 * goes out is float32, and a runtime computes with integers where it can.
 *
 * @throws ModelError for impossible options, and for float16 where a weight is beyond its range
 */
export function onnxModel(graph: InferenceGraph, options: OnnxOptions = {}): OnnxModel {
  const { opset = 17, precision = 'float32', edges = 'float32', type = 'float32' } = options;
  const { layout = type === 'float32' ? 'NCHW' : 'NHWC', producer = { name: 'residual', version: '' } } = options;
  if (!Object.hasOwn(irVersions, opset)) {
    throw new ModelError(`onnx: opset must be ${Object.keys(irVersions).join(', ')}, received ${opset}`);
  }
  if (type !== 'float32' && graph.input.range !== 'bytes') {
    throw new ModelError(
      `onnx: an input of ${type} needs a graph whose input is 'bytes', received '${graph.input.range}'`,
    );
  }
  const anySize = type === 'picture';
  if (anySize && (layout !== 'NHWC' || precision === 'float16')) {
    throw new ModelError(`onnx: an input of pictures is NHWC and not float16, received ${layout}, ${precision}`);
  }
  const integers = precision === 'int8' ? integersOf(options) : undefined;
  const model = lowerToOnnx(graph, {
    ...{ opset, layout, precision, producer, anySize },
    type: anySize ? 'uint8' : type,
    ...(integers && { integers }),
  });
  return precision === 'float16' ? toFloat16(model, edges) : model;
}

function integersOf({ quantization, profile = 'cpu' }: OnnxOptions) {
  if (!quantization) throw new ModelError("onnx: precision 'int8' needs a quantization, received none");
  if (!quantizationProfiles.includes(profile)) {
    throw new ModelError(`onnx: profile must be ${quantizationProfiles.join(', ')}; received '${profile}'`);
  }
  const odd = Object.entries(quantization.values).find(([, { zeroPoint }]) => zeroPoint !== 0);
  if (schemeOf(profile) === 'symmetric' && odd) {
    const [name, { zeroPoint }] = odd;
    throw new ModelError(
      `onnx: the profile ${profile} needs zero points of 0 (scheme 'symmetric'), ${name} has ${zeroPoint}`,
    );
  }
  return { quantization, profile };
}

/**
 * The bytes of an ONNX file.
 *
 * @throws ModelError as `onnxModel` does
 * @example await writeFile('model.onnx', writeOnnx(await inferenceGraph(model, info)))
 */
export function writeOnnx(graph: InferenceGraph, options: OnnxOptions = {}): Uint8Array<ArrayBuffer> {
  return encodeOnnx(onnxModel(graph, options)).finish();
}
