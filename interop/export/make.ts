/** Writes exported files and what they must give, for the checkers of other frameworks in this folder.
 *
 *      npx node interop/export/make.ts FOLDER
 *      python interop/export/check_onnx.py FOLDER
 */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { infoFor, picturesFor, predicted, pretendTrained } from '../../packages/residual/src/export/graph/testing.ts';
import { inferenceGraph, type OnnxOptions, writeOnnx } from '../../packages/residual/src/index.ts';
import { resnet } from '../../packages/residual/src/models/resnet.ts';
import '../../packages/tfjs-backend-jit/src/index.ts';

const folder = process.argv[2];
if (folder === undefined) throw new Error('name a folder to write to: npx node interop/export/make.ts FOLDER');
await tf.setBackend('jit');
await mkdir(folder, { recursive: true });

const networks = {
  torchvision: ['resnet18', { inputShape: [224, 224, 3], classes: 1000, convention: 'torchvision' }],
  keras: ['resnet18', { inputShape: [224, 224, 3], classes: 1000, convention: 'keras' }],
  cifar: ['resnet18', { inputShape: [32, 32, 3], classes: 10, convention: 'torchvision', width: 16 }],
  bottleneck: ['resnet50', { inputShape: [97, 65, 3], classes: 12, convention: 'torchvision', width: 8 }],
} as const;

const variants: Readonly<Record<string, OnnxOptions>> = {
  float32: {},
  'float32-opset13': { opset: 13 },
  'float32-nhwc': { layout: 'NHWC' },
  float16: { precision: 'float16' },
  'float16-edges': { precision: 'float16', edges: 'float16' },
  uint8: { type: 'uint8' },
  picture: { type: 'picture' },
  'picture-opset13': { type: 'picture', opset: 13 },
};

const cases: object[] = [];
for (const [name, [variant, options]] of Object.entries(networks)) {
  const model = pretendTrained(resnet(variant, { ...options, activation: 'linear' }));
  const info = infoFor(model);
  const { bytes, normalised } = picturesFor(info, 3);
  const expected = await predicted(model, normalised);
  await writeFile(join(folder, `${name}.normalised.f32`), new Uint8Array(normalised.buffer));
  await writeFile(join(folder, `${name}.bytes.u8`), bytes);
  await writeFile(join(folder, `${name}.expected.f32`), new Uint8Array(Float32Array.from(expected).buffer));
  for (const [kind, onnx] of Object.entries(variants)) {
    const graph = await inferenceGraph(model, info, { input: onnx.type === undefined ? 'normalised' : 'bytes' });
    const file = `${name}-${kind}.onnx`;
    await writeFile(join(folder, file), writeOnnx(graph, onnx));
    const half = onnx.precision === 'float16';
    cases.push({ file, network: name, shape: info.preprocessing.inputShape, classes: info.classes, half });
  }
  model.dispose();
}
await writeFile(join(folder, 'cases.json'), JSON.stringify(cases));
process.stdout.write(`${cases.length} files in ${folder}\n`);
