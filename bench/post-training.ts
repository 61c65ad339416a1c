/**
 * `node bench/post-training.ts`: what each way of finding integers keeps of a trained network, measured in LiteRT on the
 * held-out pictures of the embedded set. `--model FOLDER` takes a saved model; default is the full-width ResNet18 that comes
 * with the package. Ends with 1 where plain int8 loses more than 0.3 points of top-1.
 */
import 'tfjs-backend-jit';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { atMost } from '../packages/residual/src/cli/evaluation-data.ts';
import { closeSplits } from '../packages/residual/src/data/dataset.ts';
import { fashionMnist } from '../packages/residual/src/data/node/embedded.ts';
import { inferenceGraph, openGraph } from '../packages/residual/src/export/graph/index.ts';
import { type Answers, accuracyOf, agreementOf, picturesOf } from '../packages/residual/src/export/measure.ts';
import { inputOf } from '../packages/residual/src/export/quantized.ts';
import { openLiteRt } from '../packages/residual/src/export/tflite/node/litert.ts';
import { writeTflite } from '../packages/residual/src/export/tflite/write.ts';
import { loadModel } from '../packages/residual/src/models/saved-model.ts';
import { type PostTrainingOptions, quantizePostTraining } from '../packages/residual/src/quantize/post-training.ts';
import { resnet18 } from '../packages/residual/src/weights/node/pretrained.ts';
import { findWeights } from '../packages/residual/src/weights/registry/find.ts';
import { classesOf, preprocessingOf } from '../packages/residual/src/weights/registry/preprocessing.ts';

const { values } = parseArgs({
  options: { model: { type: 'string' }, images: { type: 'string' }, calibrate: { type: 'string', default: '256' } },
});

const coarse = { granularity: 'per-tensor', bits: 6 } as const;

const variants: readonly (readonly [name: string, options: PostTrainingOptions])[] = [
  ['int8, min-max', {}],
  ['int8, percentile', { observer: 'percentile' }],
  ['int8, mse', { observer: 'mse' }],
  ['int8, entropy', { observer: 'entropy' }],
  ['int8, equalize', { equalize: true }],
  ['int8, bias correction', { biasCorrection: true }],
  ['int8, mse, equalize, bias correction', { observer: 'mse', equalize: true, biasCorrection: true }],
  ['6 bits per tensor', coarse],
  ['6 bits per tensor, equalize', { ...coarse, equalize: true }],
  ['6 bits per tensor, bias correction', { ...coarse, biasCorrection: true }],
  ['6 bits per tensor, both', { ...coarse, equalize: true, biasCorrection: true }],
];

await tf.setBackend('jit');
const { model, info } = await (values.model === undefined ? pretrained() : loadModel(values.model));
const graph = await inferenceGraph(model, info, { softmax: 'drop' });
const splits = await fashionMnist({ validation: 0 });
if (!splits.test) throw new Error('internal: the embedded set has test images');
const held = atMost(splits.test, values.images === undefined ? undefined : Number(values.images));

const calibration: Float32Array[] = [];
for await (const { bytes } of picturesOf(atMost(splits.train, Number(values.calibrate))).batches(32)) {
  calibration.push(inputOf(graph, bytes));
}
const running = openGraph(graph);
const floats = await answers(async (pixels) => (await running.run(pixels)).get(graph.output) ?? new Float32Array());
running.dispose();
const before = accuracyOf(floats) ?? Number.NaN;
console.log(`${graph.name}, ${held.size} images, in floats: ${(100 * before).toFixed(2)} %`);
for (const [i, [name, options]] of variants.entries()) {
  const { graph: written, quantization } = await quantizePostTraining(graph, calibration, options);
  const file = await openLiteRt(writeTflite(written, { quantize: 'int8', quantization }));
  const given = await answers((pixels) => file.run(pixels));
  file.dispose();
  const accuracy = accuracyOf(given) ?? Number.NaN;
  const { same, difference } = agreementOf(floats, given);
  const drop = 100 * (before - accuracy);
  console.log(
    `${name.padEnd(38)} ${(100 * accuracy).toFixed(2)} %  ${drop.toFixed(2).padStart(6)} points lost  ` +
      `${(100 * same).toFixed(2)} % same class  differs by ${difference.toFixed(4)}`,
  );
  if (i === 0 && drop > 0.3) process.exitCode = 1;
}
await closeSplits(splits);

async function answers(run: (pixels: Float32Array) => Promise<Float32Array>): Promise<Answers> {
  const outputs: number[] = [];
  const labels: number[] = [];
  for await (const batch of picturesOf(held).batches(40)) {
    outputs.push(...(await run(inputOf(graph, batch.bytes))));
    labels.push(...(batch.labels ?? []));
  }
  return {
    images: labels.length,
    classes: graph.classes.length,
    outputs: Float32Array.from(outputs),
    labels: Int32Array.from(labels),
    gives: 'logits',
    latency: Number.NaN,
  };
}

async function pretrained() {
  const own = await resnet18({ weights: 'fashion-mnist' });
  const entry = findWeights('fashion-mnist');
  if (!entry) throw new Error('internal: these weights come with the package');
  const preprocessing = preprocessingOf(entry, [28, 28, 1]);
  return { model: own, info: { architecture: 'resnet18', classes: classesOf(entry), preprocessing } };
}
