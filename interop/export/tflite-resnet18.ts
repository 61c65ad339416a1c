/** ResNet18 at 224 × 224 with 1000 classes, weights from a seed, as TFLite files of every kind, in both conventions: how
 *  large they are, and how far LiteRT's logits are from the model's. `node interop/export/tflite-resnet18.ts [FOLDER]` */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import 'tfjs-backend-jit';
import { inferenceGraph } from '../../packages/residual/src/export/graph/index.ts';
import {
  distance,
  infoFor,
  picturesFor,
  predicted,
  pretendTrained,
} from '../../packages/residual/src/export/graph/testing.ts';
import { openLiteRt } from '../../packages/residual/src/export/tflite/node/litert.ts';
import { writeTflite } from '../../packages/residual/src/export/tflite/write.ts';
import { resnet18 } from '../../packages/residual/src/models/resnet.ts';
import { assignQuantization } from '../../packages/residual/src/quantize/assign.ts';
import { calibrate } from '../../packages/residual/src/quantize/calibrate.ts';

/** Bytes that int8 may take, and how far floats may be off, as a part of the logits' range. */
const MOST_INT8 = 11_800_000;
const FLOAT_LIMIT = 1e-4;

const [folder] = process.argv.slice(2);
await tf.setBackend('jit');
let failed = false;
for (const convention of ['torchvision', 'keras'] as const) {
  const model = resnet18({ inputShape: [224, 224, 3], classes: 1000, convention, activation: 'linear', seed: 1 });
  const info = infoFor(pretendTrained(model));
  const { normalised } = picturesFor(info, 4);
  const expected = await predicted(model, normalised);
  const graph = await inferenceGraph(model, info);
  const quantization = assignQuantization(graph, await calibrate(graph, [picturesFor(info, 16, 5).normalised]));
  for (const quantize of ['none', 'float16', 'dynamic', 'int8'] as const) {
    const file = writeTflite(graph, { quantize, ...(quantize === 'int8' && { quantization }) });
    const running = await openLiteRt(file);
    const off = distance(expected, await running.run(normalised));
    running.dispose();
    const good = quantize === 'none' ? off <= FLOAT_LIMIT : quantize !== 'int8' || file.length <= MOST_INT8;
    failed ||= !good;
    console.log(
      `${good ? 'ok  ' : 'FAIL'} ${convention.padEnd(12)} ${quantize.padEnd(8)} ${String(file.length).padStart(9)} bytes`,
      `off by ${off.toExponential(2)} of the range`,
    );
    if (!folder) continue;
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `resnet18-${convention}-${quantize}.tflite`), file);
  }
  model.dispose();
}
process.exit(failed ? 1 : 0);
