/** Writes ONNX files of integers in both profiles, with images and what the network says of them, for `qdq.py`:
 *  the Fashion-MNIST network that comes with the package, and ResNet18 at 224 × 224 in every opset.
 *
 *      node interop/export/qdq-make.ts FOLDER
 *      python interop/export/qdq.py FOLDER
 */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import 'tfjs-backend-jit';
import { type InferenceGraph, inferenceGraph, runGraph } from '../../packages/residual/src/export/graph/index.ts';
import { infoFor, picturesFor, pretendTrained } from '../../packages/residual/src/export/graph/testing.ts';
import { picturesOf } from '../../packages/residual/src/export/measure.ts';
import { type OnnxOptions, writeOnnx } from '../../packages/residual/src/export/onnx/write.ts';
import { inputOf } from '../../packages/residual/src/export/quantized.ts';
import {
  classesOf,
  fashionMnist,
  findWeights,
  preprocessingOfEntry,
  resnet18,
  subset,
} from '../../packages/residual/src/index.ts';
import { resnet } from '../../packages/residual/src/models/resnet.ts';
import { quantizePostTraining } from '../../packages/residual/src/quantize/post-training.ts';

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: node interop/export/qdq-make.ts FOLDER');
await mkdir(folder, { recursive: true });
await tf.setBackend('jit');

const CALIBRATION = 256;
const cases: object[] = [];

/** The float file and those of integers, with `data.images` to run them on. */
async function writeCases(
  data: string,
  graph: InferenceGraph,
  calibration: readonly Float32Array[],
  variants: Readonly<Record<string, OnnxOptions>>,
): Promise<void> {
  const type = graph.input.range === 'bytes' ? 'uint8' : 'float32';
  for (const [kind, options] of Object.entries(variants)) {
    const { profile = 'cpu' } = options;
    const file = `${data}-${kind}.onnx`;
    const integers = options.precision === 'int8';
    const { graph: written, quantization } = integers
      ? await quantizePostTraining(graph, calibration, {
          scheme: profile === 'tensorrt' ? 'symmetric' : 'asymmetric',
          bits: kind.endsWith('7bit') ? 7 : 8,
        })
      : { graph, quantization: undefined };
    await writeFile(
      join(folder as string, file),
      writeOnnx(written, { ...options, type, layout: 'NCHW', ...(quantization && { quantization }) }),
    );
    cases.push({ file, data, profile: integers ? profile : 'none', opset: options.opset ?? 17 });
  }
}

const int8 = { precision: 'int8' } as const;

const splits = await fashionMnist();
const trained = await resnet18({ weights: 'fashion-mnist' });
const entry = findWeights('fashion-mnist');
if (!entry) throw new Error('internal: these weights come with the package');
const fashion = {
  architecture: 'resnet18',
  classes: classesOf(entry),
  preprocessing: preprocessingOfEntry(entry, [28, 28, 1]),
};
if (!splits.test) throw new Error('the embedded data set has no test images');
const some = subset(
  splits.train,
  Int32Array.from({ length: CALIBRATION }, (_, i) => Math.floor((i * splits.train.size) / CALIBRATION)),
);
for (const range of ['normalised', 'bytes'] as const) {
  const graph = await inferenceGraph(trained, fashion, { input: range });
  const calibration: Float32Array[] = [];
  for await (const { bytes } of picturesOf(some).batches(64)) calibration.push(inputOf(graph, bytes));
  await writeCases(`fashion-${range}`, graph, calibration, {
    float32: {},
    'int8-cpu': int8,
    'int8-cpu-7bit': int8,
    'int8-tensorrt': { ...int8, profile: 'tensorrt' },
  });
  const images: Uint8Array[] = [];
  const labels: number[] = [];
  for await (const batch of picturesOf(splits.test).batches(500)) {
    const given = inputOf(graph, batch.bytes);
    images.push(range === 'bytes' ? Uint8Array.from(given) : new Uint8Array(given.buffer));
    labels.push(...(batch.labels ?? []));
  }
  await writeFile(join(folder, `fashion-${range}.images`), Buffer.concat(images));
  await writeFile(join(folder, `fashion-${range}.labels`), Uint8Array.from(labels));
}
trained.dispose();

for (const convention of ['torchvision', 'keras'] as const) {
  const model = resnet('resnet18', { inputShape: [224, 224, 3], classes: 1000, convention, activation: 'linear' });
  const info = infoFor(pretendTrained(model));
  const graph = await inferenceGraph(model, info);
  const variants = Object.fromEntries(
    [13, 14, 15, 16, 17].flatMap((opset) => [
      [`int8-cpu-opset${opset}`, { ...int8, opset }],
      [`int8-tensorrt-opset${opset}`, { ...int8, opset, profile: 'tensorrt' }],
    ]),
  ) as Record<string, OnnxOptions>;
  await writeCases(convention, graph, [picturesFor(info, 8, 5).normalised], { float32: {}, ...variants });
  const { normalised } = picturesFor(info, 2);
  await writeFile(join(folder, `${convention}.images`), new Uint8Array(normalised.buffer));
  await writeFile(join(folder, `${convention}.expected`), new Uint8Array((await runGraph(graph, normalised)).buffer));
  model.dispose();
}
await writeFile(join(folder, 'qdq.json'), JSON.stringify(cases));
process.stdout.write(`${cases.length} files in ${folder}\n`);
