/** Loads what `torch_resnet.py FOLDER --full` wrote, ResNet18 at 224×224 and 1000 classes, and prints how far the logits
 *  are from PyTorch's, relative to their range, for each file and in both conventions.
 *
 *      npx node interop/weights/check-torch.ts FOLDER */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import { reportLines } from '../../packages/residual/src/index.ts';
import { loadWeights, resnet18 } from '../../packages/residual/src/weights/node/pretrained.ts';
import { outputsFor, relativeError } from '../../packages/residual/src/weights/testing/pictures.ts';

interface Expected {
  readonly classes: number;
  readonly networks: { readonly resnet18: { readonly logits: { readonly 224: number[][] } } };
}

const LIMIT = 1e-4;
const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: npx node interop/weights/check-torch.ts FOLDER');
await tf.setBackend('jit');
const { classes, networks } = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as Expected;
const logits = networks.resnet18.logits[224];
let bad = false;

for (const name of ['resnet18.pth', 'resnet18.safetensors', 'resnet18-folded.onnx', 'resnet18-plain.onnx']) {
  const model = resnet18({ inputShape: [224, 224, 3], classes, activation: 'linear' });
  const report = await loadWeights(model, join(folder, name));
  const error = relativeError(outputsFor(model, 2), logits);
  bad ||= !(error < LIMIT);
  console.log(`${name}: ${error.toExponential(1)} of the range`);
  console.log(reportLines(report).join('\n'));
  model.dispose();
}

// With Keras's padding the same weights must give something else, and that must be said.
const keras = resnet18({ inputShape: [224, 224, 3], classes, activation: 'linear', convention: 'keras' });
const report = await loadWeights(keras, join(folder, 'resnet18.pth'));
console.log(`in Keras's convention: ${relativeError(outputsFor(keras, 2), logits).toExponential(1)} of the range`);
console.log(reportLines(report).join('\n'));
if (bad) throw new Error(`more than ${LIMIT} of the range`);
