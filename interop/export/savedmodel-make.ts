/** Writes SavedModels and TF.js graph models, and what they must give, for savedmodel.py in this folder.
 *
 *      npx node interop/export/savedmodel-make.ts FOLDER
 *      python interop/export/savedmodel.py FOLDER
 */

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { ExportFile } from '../../packages/residual/src/export/format.ts';
import { infoFor, picturesFor, predicted, pretendTrained } from '../../packages/residual/src/export/graph/testing.ts';
import { otherOperators } from '../../packages/residual/src/export/tensorflow/testing.ts';
import { inferenceGraph, type SavedModelOptions, writeSavedModel } from '../../packages/residual/src/index.ts';
import { resnet } from '../../packages/residual/src/models/resnet.ts';
import '../../packages/tfjs-backend-jit/src/index.ts';

const folder = process.argv[2];
if (folder === undefined) throw new Error('name a folder: npx node interop/export/savedmodel-make.ts FOLDER');
await tf.setBackend('jit');

const net = (options: Parameters<typeof resnet>[1]) =>
  pretendTrained(resnet('resnet18', { ...options, activation: 'linear' }));
const networks = {
  torchvision: () => net({ inputShape: [224, 224, 3], classes: 1000, convention: 'torchvision' }),
  keras: () => net({ inputShape: [224, 224, 3], classes: 1000, convention: 'keras' }),
  cifar: () => net({ inputShape: [32, 32, 3], classes: 10, stem: 'cifar' }),
  'every-operator': otherOperators,
};
/** How far from the model each may be, of the outputs' range. */
const variants: Readonly<Record<string, readonly [options: SavedModelOptions, limit: number]>> = {
  float32: [{}, 1e-4],
  uint8: [{ type: 'uint8' }, 1e-4],
  float16: [{ weights: 'float16' }, 2e-2],
  int8: [{ weights: 'int8' }, 0.1],
};

const cases: object[] = [];
for (const [name, make] of Object.entries(networks)) {
  const model = make();
  const info = infoFor(model);
  const { bytes, normalised } = picturesFor(info, 3);
  await write([
    { path: `${name}.bytes.u8`, bytes },
    { path: `${name}.normalised.f32`, bytes: new Uint8Array(normalised.buffer) },
    {
      path: `${name}.expected.f32`,
      bytes: new Uint8Array(Float32Array.from(await predicted(model, normalised)).buffer),
    },
  ]);
  for (const [kind, [options, limit]] of Object.entries(variants)) {
    const graph = await inferenceGraph(model, info, { input: options.type === 'uint8' ? 'bytes' : 'normalised' });
    const path = `${name}-${kind}`;
    await write(writeSavedModel(graph, options).map((file) => ({ ...file, path: `${path}/1/${file.path}` })));
    cases.push({
      path,
      network: name,
      type: options.type ?? 'float32',
      limit,
      shape: info.preprocessing.inputShape,
      classes: info.classes,
    });
  }
  model.dispose();
}
await write([{ path: 'cases.json', bytes: new TextEncoder().encode(JSON.stringify(cases)) }]);
process.stdout.write(`${cases.length} SavedModels in ${folder}\n`);

async function write(files: readonly ExportFile[]): Promise<void> {
  for (const { path, bytes } of files) {
    const file = join(folder as string, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, bytes);
  }
}
