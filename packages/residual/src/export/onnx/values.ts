/** Every value of an ONNX file as ONNX Runtime computes it: the same nodes, with more of their results as outputs. */

import { ModelError } from '../../models/errors.ts';
import { type InferenceGraph, type Shape, shapesOf } from '../graph/graph.ts';
import type { RunningValues } from '../runtime.ts';
import { decodeOnnx } from './decode.ts';
import { encodeOnnx } from './encode.ts';
import type { DataType, OnnxModel, OnnxValue } from './model.ts';
import { openSession } from './runtime.ts';

/**
 * Loads a file that `residual export` wrote, with outputs added.
 *
 * @param graph whose nodes' values are asked for; those that the file does not have are left out
 * @throws as `openOnnx`; ModelError where the file has none of the values
 */
export async function openOnnxValues(bytes: Uint8Array, graph: InferenceGraph, file: string): Promise<RunningValues> {
  const model = decodeOnnx(bytes, file);
  const half = model.metadata.precision === 'float16';
  const shapes = shapesOf(graph);
  /** From the name of the tensor that shows a value to the value's. */
  const shown = new Map<string, string>();
  for (const { output } of graph.nodes) {
    const tensor = tensorOf(model, output);
    if (tensor !== undefined) shown.set(tensor, output);
  }
  if (shown.size === 0) throw new ModelError(`${file}: has none of the values of ${graph.name}`);
  const own = new Map(model.outputs.map((value) => [value.name, value]));
  const outputs = [...shown].map(([tensor, value]): OnnxValue => {
    const known = own.get(tensor);
    return known ?? asOutput(model, tensor, shapes.get(value) ?? [], half ? 'float16' : 'float32');
  });
  const {
    run,
    output: _,
    input: __,
    ...rest
  } = await openSession({ ...model, outputs }, encodeOnnx({ ...model, outputs }).finish(), file);
  return {
    ...rest,
    values: [...shown.values()],
    async run(images, batch) {
      const results = await run(images, batch);
      return new Map(
        [...shown].map(([tensor, value]) => {
          const { dims = [], values = new Float32Array() } = results.get(tensor) ?? {};
          return [value, channelsLast(values, dims)];
        }),
      );
    },
  };
}

/** The tensor that a value's readers get: behind the rounding to integers and back, where there is one. */
function tensorOf({ nodes }: OnnxModel, value: string): string | undefined {
  if (!nodes.some(({ outputs }) => outputs.includes(value))) return undefined;
  const after = (type: string, name: string | undefined) =>
    nodes.find((node) => node.type === type && node.inputs[0] === name)?.outputs[0];
  return after('DequantizeLinear', after('QuantizeLinear', value)) ?? value;
}

function asOutput({ inputs: [input] }: OnnxModel, name: string, shape: Shape, type: DataType): OnnxValue {
  const [rows = 0, columns = 0, channels = 0] = shape;
  const sizes = shape.length === 3 ? [channels, rows, columns] : shape;
  return { name, type, dims: [input?.dims[0] ?? 'batch', ...sizes] };
}

/** From [batch, channels, rows, columns] to the graph's order; other shapes are the same in both. */
function channelsLast(values: Float32Array, dims: readonly number[]): Float32Array {
  if (dims.length !== 4) return values;
  const [batch = 0, channels = 0, rows = 0, columns = 0] = dims;
  const pixels = rows * columns;
  const out = new Float32Array(values.length);
  for (let n = 0; n < batch; n++) {
    const base = n * pixels * channels;
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < pixels; p++) out[base + p * channels + c] = values[base + c * pixels + p];
    }
  }
  return out;
}
