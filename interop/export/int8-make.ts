/** Writes int8 TFLite files, and every integer that our own engine computes on the way through them, for `int8.py`.
 *  `node interop/export/int8-make.ts FOLDER && python interop/export/int8.py FOLDER` */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import { type InferenceGraph, inferenceGraph } from '../../packages/residual/src/export/graph/index.ts';
import { infoFor, picturesFor, pretendTrained } from '../../packages/residual/src/export/graph/testing.ts';
import { readTflite } from '../../packages/residual/src/export/tflite/import.ts';
import { everyOp } from '../../packages/residual/src/export/tflite/testing.ts';
import { writeTflite } from '../../packages/residual/src/export/tflite/write.ts';
import { resnet18 } from '../../packages/residual/src/models/resnet.ts';
import { assignQuantization } from '../../packages/residual/src/quantize/assign.ts';
import { calibrate } from '../../packages/residual/src/quantize/calibrate.ts';
import { openIntegers } from '../../packages/residual/src/quantize/integer/open.ts';
import { quantizeValues } from '../../packages/residual/src/quantize/parameters.ts';

const [folder] = process.argv.slice(2);
if (!folder) throw new Error('usage: node interop/export/int8-make.ts FOLDER');
await mkdir(folder, { recursive: true });
await tf.setBackend('jit');

const cases: unknown[] = [];
for (const input of ['normalised', 'bytes'] as const) {
  for (const granularity of ['per-channel', 'per-tensor'] as const) {
    await writeCase(`every-${input}-${granularity}`, everyOp(input), granularity);
  }
  for (const convention of ['torchvision', 'keras'] as const) {
    const model = pretendTrained(
      resnet18({ inputShape: [48, 40, 3], classes: 10, stem: 'imagenet', convention, width: 16 }),
    );
    await writeCase(`${convention}-${input}`, await inferenceGraph(model, infoFor(model), { input }), 'per-channel');
  }
}
await writeFile(join(folder, 'cases.json'), JSON.stringify(cases));

async function writeCase(name: string, graph: InferenceGraph, granularity: 'per-channel' | 'per-tensor') {
  const { input, preprocessing, classes } = graph;
  const info = { format: 'residual/1', architecture: name, classes, preprocessing } as const;
  const pictures = (count: number, seed: number) => {
    const { bytes, normalised } = picturesFor(info, count, seed);
    return input.range === 'bytes' ? Float32Array.from(bytes) : normalised;
  };
  const images = pictures(8, 2);
  const written = assignQuantization(graph, await calibrate(graph, [pictures(32, 7)]), { granularity });
  const file = writeTflite(graph, { quantize: 'int8', quantization: written });
  const { graph: again, quantization } = readTflite(file, name);
  const running = quantization && openIntegers(again, quantization);
  if (!running) throw new Error(`${name}: no integers`);
  const names = [again.input.name, ...again.nodes.map(({ output }) => output)];
  const values = await running.run(images, names);
  const integers = names.map((value) => quantizeValues(values.get(value) as Float32Array, quantization.values[value]));
  await writeFile(join(folder as string, `${name}.tflite`), file);
  await writeFile(join(folder as string, `${name}.images`), new Uint8Array(images.buffer));
  await writeFile(
    join(folder as string, `${name}.values`),
    Buffer.concat(integers.map((numbers) => new Uint8Array(numbers.buffer))),
  );
  const shape = preprocessing.inputShape;
  cases.push({ name, shape, values: names.map((value, i) => ({ name: value, size: integers[i].length })) });
}
