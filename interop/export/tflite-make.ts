/** Writes small networks as TFLite files of every kind, with images and what the network says of them, for `tflite.py`.
 *  `node interop/export/tflite-make.ts FOLDER && python interop/export/tflite.py FOLDER` */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { inferenceGraph, runGraph } from '../../packages/residual/src/export/graph/index.ts';
import { infoFor, picturesFor, pretendTrained } from '../../packages/residual/src/export/graph/testing.ts';
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
for (const convention of ['torchvision', 'keras'] as const) {
  const model = pretendTrained(
    resnet18({ inputShape: [32, 32, 3], classes: 10, stem: 'imagenet', convention, width: 16 }),
  );
  const info = infoFor(model);
  const pictures = picturesFor(info, IMAGES);
  const others = picturesFor(info, 32, 7);
  for (const input of ['normalised', 'bytes'] as const) {
    const graph = await inferenceGraph(model, info, { input, softmax: input === 'bytes' ? 'add' : 'drop' });
    const images = input === 'bytes' ? Float32Array.from(pictures.bytes) : pictures.normalised;
    const name = `${convention}-${input}`;
    await writeFile(join(folder, `${name}.images`), bytesOf(images));
    await writeFile(join(folder, `${name}.expected`), bytesOf(await runGraph(graph, images)));
    const ranges = await calibrate(graph, [input === 'bytes' ? others.bytes : others.normalised]);
    const quantization = assignQuantization(graph, ranges);
    const kinds: Record<string, TfliteOptions> = {
      float32: {},
      dynamicBatch: { batch: 'dynamic' },
      float16: { quantize: 'float16' },
      dynamic: { quantize: 'dynamic' },
      int8: { quantize: 'int8', quantization },
      'int8-int8': { quantize: 'int8', quantization, edges: 'int8' },
      ...(input === 'bytes' && { 'int8-uint8': { quantize: 'int8', quantization, edges: 'uint8' } }),
      'int8-kept': {
        quantize: 'int8',
        quantization: assignQuantization(graph, ranges, { keepFloat: ['layer1.0.conv1', 'layer4.1.add', 'fc'] }),
      },
    };
    for (const [kind, options] of Object.entries(kinds)) {
      await writeFile(join(folder, `${name}-${kind}.tflite`), writeTflite(graph, options));
      cases.push({ file: `${name}-${kind}.tflite`, data: name, kind, classes: info.classes, info: info.preprocessing });
    }
  }
}
await writeFile(join(folder, 'cases.json'), JSON.stringify(cases));

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
