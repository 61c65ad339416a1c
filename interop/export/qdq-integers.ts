/** Every integer of an int8 ONNX file for `cpu`, as our own engine and as ONNX Runtime's native kernels compute it.
 *  onnxruntime-node is no dependency of the project: FOLDER is one in which it was installed.
 *
 *      npm install --prefix FOLDER onnxruntime-node
 *      node interop/export/qdq-integers.ts FOLDER
 */

import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import 'tfjs-backend-jit';
import { type InferenceGraph, inferenceGraph } from '../../packages/residual/src/export/graph/index.ts';
import { infoFor, picturesFor, pretendTrained } from '../../packages/residual/src/export/graph/testing.ts';
import { encodeOnnx } from '../../packages/residual/src/export/onnx/encode.ts';
import type { OnnxModel } from '../../packages/residual/src/export/onnx/model.ts';
import { raiseOnnx } from '../../packages/residual/src/export/onnx/raise.ts';
import { onnxModel } from '../../packages/residual/src/export/onnx/write.ts';
import { everyOp } from '../../packages/residual/src/export/tflite/testing.ts';
import { resnet18 } from '../../packages/residual/src/models/resnet.ts';
import { assignQuantization } from '../../packages/residual/src/quantize/assign.ts';
import { calibrate } from '../../packages/residual/src/quantize/calibrate.ts';
import { openIntegers } from '../../packages/residual/src/quantize/integer/open.ts';
import { quantizeValues } from '../../packages/residual/src/quantize/parameters.ts';

const [folder] = process.argv.slice(2);
if (!folder) throw new Error('usage: node interop/export/qdq-integers.ts FOLDER');
const { InferenceSession, Tensor }: typeof import('onnxruntime-web') = createRequire(resolve(folder, 'at.js'))(
  'onnxruntime-node',
);
await tf.setBackend('jit');

const IMAGES = 8;
for (const input of ['normalised', 'bytes'] as const) {
  await compare(`every operation, ${input}`, everyOp(input));
  for (const convention of ['torchvision', 'keras'] as const) {
    const shape = { inputShape: [48, 40, 3], classes: 10, stem: 'imagenet', width: 16, convention } as const;
    const model = pretendTrained(resnet18(shape));
    await compare(`ResNet18, ${convention}, ${input}`, await inferenceGraph(model, infoFor(model), { input }));
    model.dispose();
  }
}

async function compare(name: string, graph: InferenceGraph): Promise<void> {
  const { input, preprocessing, classes } = graph;
  const info = { format: 'residual/1', architecture: graph.name, classes, preprocessing } as const;
  const pictures = (count: number, seed: number) => {
    const { bytes, normalised } = picturesFor(info, count, seed);
    return input.range === 'bytes' ? Float32Array.from(bytes) : normalised;
  };
  const quantization = assignQuantization(graph, await calibrate(graph, [pictures(32, 7)]));
  const type = input.range === 'bytes' ? 'uint8' : 'float32';
  const model = onnxModel(graph, { precision: 'int8', quantization, type, layout: 'NHWC' });
  const images = pictures(IMAGES, 2);
  const feed = {
    input: new Tensor(type, type === 'uint8' ? Uint8Array.from(images) : images, [IMAGES, ...input.shape]),
  };
  const plain = await run(model, feed);
  const raised = raiseOnnx(model, name);
  const running = raised.quantization && openIntegers(raised.graph, raised.quantization);
  if (!running || !raised.quantization) throw new Error(`${name}: no integers`);
  const parameters = raised.quantization.values;
  const shapes = new Map([[input.name, input.shape], ...raised.graph.nodes.map((n) => [n.output, n.shape] as const)]);
  const tensors = new Map<string, string>();
  const outputs = [...model.outputs];
  for (const value of Object.keys(parameters)) {
    const made = model.nodes.find(
      ({ type, name, inputs }) => type === 'QuantizeLinear' && (name === `${value}/${type}` || inputs[0] === value),
    );
    if (!made) throw new Error(`${name}: nothing rounds ${value}`);
    const maker = model.nodes.find((node) => node.outputs[0] === value);
    const rank = maker?.type === 'GlobalAveragePool' ? 4 : (shapes.get(value)?.length ?? 0) + 1;
    const tensor = made.outputs[0] ?? '';
    tensors.set(value, tensor);
    outputs.push({ name: tensor, type: 'uint8', dims: Array.from({ length: rank }, (_, i) => `${tensor} ${i}`) });
  }
  const theirs = await run({ ...model, outputs }, feed);
  const same = plain.get('output')?.every((value, i) => value === theirs.get('output')?.[i]);
  if (!same) throw new Error(`${name}: ONNX Runtime computes otherwise where its values are asked for`);
  const ours = await running.run(images, [...tensors.keys(), 'output']);
  running.dispose();
  let [count, differing, largest] = [0, 0, 0];
  for (const [value, tensor] of tensors) {
    const integers = quantizeValues(ours.get(value) as Float32Array, parameters[value]);
    const expected = channelsLast(theirs.get(tensor) ?? [], shapes.get(value) ?? []).map((one) => one - 128);
    let off = 0;
    integers.forEach((one, i) => {
      const difference = Math.abs(one - expected[i]);
      if (difference !== 0) off++;
      largest = Math.max(largest, difference);
    });
    if (off > 0 && differing === 0) process.stdout.write(`  first at ${value}: ${off} of ${integers.length}\n`);
    count += integers.length;
    differing += off;
  }
  const distances = (ours.get('output') as Float32Array).map((one, i) =>
    Math.abs(one - (plain.get('output')?.[i] ?? 0)),
  );
  process.stdout.write(
    `${name}: ${differing} of ${count} integers differ, by at most ${largest}; outputs by ${Math.max(...distances).toExponential(1)}\n`,
  );
}

async function run(model: OnnxModel, feed: Record<string, InstanceType<typeof Tensor>>) {
  const session = await InferenceSession.create(encodeOnnx(model).finish(), { logSeverityLevel: 3 });
  const results = Object.entries(await session.run(feed)).map(
    ([name, { data }]) => [name, Array.from(data as Float32Array | Uint8Array)] as const,
  );
  await session.release();
  return new Map(results);
}

/** From [images, channels, rows, columns] to the graph's order. */
function channelsLast(values: readonly number[], shape: readonly number[]): number[] {
  const [rows = 1, columns = 1, channels = 1] = shape;
  if (shape.length !== 3) return [...values];
  const pixels = rows * columns;
  return values.map((_, i) => {
    const [image, pixel, c] = [Math.floor(i / (pixels * channels)), Math.floor(i / channels) % pixels, i % channels];
    return values[(image * channels + c) * pixels + pixel] ?? Number.NaN;
  });
}
