/** Writes small networks as TFLite files of every kind, with images and what the network says of them, for `tflite.py`.
 *  `node interop/export/tflite-make.ts FOLDER && python interop/export/tflite.py FOLDER` */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { type InferenceGraph, inferenceGraph, runGraph } from '../../packages/residual/src/export/graph/index.ts';
import { infoFor, picturesFor, pretendTrained } from '../../packages/residual/src/export/graph/testing.ts';
import { everyOp } from '../../packages/residual/src/export/tflite/testing.ts';
import type { TfliteOptions } from '../../packages/residual/src/export/tflite/write.ts';
import { writeTflite } from '../../packages/residual/src/export/tflite/write.ts';
import { resnet18 } from '../../packages/residual/src/models/resnet.ts';
import { assignQuantization } from '../../packages/residual/src/quantize/assign.ts';
import { calibrate } from '../../packages/residual/src/quantize/calibrate.ts';

const [folder] = process.argv.slice(2);
if (!folder) throw new Error('usage: node interop/export/tflite-make.ts FOLDER');
await mkdir(folder, { recursive: true });
await tf.setBackend('cpu');

const IMAGES = 8;
const cases: unknown[] = [];
for (const input of ['normalised', 'bytes'] as const) {
  await writeCases(`every-${input}`, everyOp(input));
  for (const convention of ['torchvision', 'keras'] as const) {
    const model = pretendTrained(
      resnet18({ inputShape: [32, 32, 3], classes: 10, stem: 'imagenet', convention, width: 16 }),
    );
    // Logits: a softmax over those of an untrained network is all 0 and 1, and hides what is wrong or makes much of it.
    await writeCases(`${convention}-${input}`, await inferenceGraph(model, infoFor(model), { input, softmax: 'drop' }));
  }
}

/** All kinds of files of a graph. */
async function writeCases(name: string, graph: InferenceGraph): Promise<void> {
  const { input, preprocessing, classes, gives } = graph;
  const pictures = (count: number, seed: number) => {
    const { bytes, normalised } = picturesFor(
      { format: 'residual/1', architecture: name, classes, preprocessing },
      count,
      seed,
    );
    return input.range === 'bytes' ? Float32Array.from(bytes) : normalised;
  };
  const images = pictures(IMAGES, 2);
  await writeFile(join(folder as string, `${name}.images`), bytesOf(images));
  await writeFile(join(folder as string, `${name}.expected`), bytesOf(await runGraph(graph, images)));
  const ranges = await calibrate(graph, [pictures(32, 7)]);
  const quantization = assignQuantization(graph, ranges);
  const kept = graph.nodes.filter((_, i) => i % 5 === 1).map((node) => node.name);
  const kinds: Record<string, TfliteOptions> = {
    float32: {},
    dynamicBatch: { batch: 'dynamic' },
    float16: { quantize: 'float16' },
    dynamic: { quantize: 'dynamic' },
    int8: { quantize: 'int8', quantization },
    'int8-int8': { quantize: 'int8', quantization, edges: 'int8' },
    ...(input.range === 'bytes' && { 'int8-uint8': { quantize: 'int8', quantization, edges: 'uint8' } }),
    'int8-kept': { quantize: 'int8', quantization: assignQuantization(graph, ranges, { keepFloat: kept }) },
  };
  for (const [kind, options] of Object.entries(kinds)) {
    const file = `${name}-${kind}.tflite`;
    await writeFile(join(folder as string, file), writeTflite(graph, options));
    cases.push({ file, data: name, kind, range: input.range, gives, classes, preprocessing });
  }
}

await writeFile(join(folder, 'cases.json'), JSON.stringify(cases));

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
