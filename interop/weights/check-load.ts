/** Loads what `torch_resnet.py FOLDER --full` or `save_keras.py FOLDER --full` wrote, ResNet18 at 224×224 and 1000 classes,
 *  and prints how far the logits are from the framework's, relative to their range, for each file.
 *
 *      npx node interop/weights/check-load.ts FOLDER */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import { loadWeights, resnet18 } from '../../packages/residual/src/weights/node/pretrained.ts';
import { reportLines } from '../../packages/residual/src/weights/report.ts';
import { outputsFor, relativeError } from '../../packages/residual/src/weights/testing/pictures.ts';

type Logits = number[][];
type Expected =
  | {
      readonly classes: number;
      readonly networks: { readonly resnet18: { readonly logits: { readonly 224: Logits } } };
    }
  | { readonly classes: number; readonly logits: Logits };

const LIMIT = 1e-4;
const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: npx node interop/weights/check-load.ts FOLDER');
await tf.setBackend('jit');
const expected = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as Expected;
const [own, other, logits] =
  'networks' in expected
    ? (['torchvision', 'keras', expected.networks.resnet18.logits[224]] as const)
    : (['keras', 'torchvision', expected.logits] as const);
const names = (await readdir(folder)).filter((name) =>
  /^(resnet18|keras).*\.(pth|safetensors|onnx|h5|keras)$/.test(name),
);

/** Loads a file into a network of a convention and says what comes of it. */
async function errorOf(name: string, convention: 'torchvision' | 'keras'): Promise<number> {
  const { classes } = expected;
  const model = resnet18({ inputShape: [224, 224, 3], classes, activation: 'linear', convention });
  const report = await loadWeights(model, join(folder ?? '', name));
  const error = relativeError(outputsFor(model, 2), logits);
  console.log(`${name} with ${convention}'s details: ${error.toExponential(1)} of the range`);
  console.log(reportLines(report).join('\n'));
  model.dispose();
  return error;
}

const errors: number[] = [];
for (const name of names) errors.push(await errorOf(name, own));
// With the other convention's padding the same weights must give something else, and that must be said.
if (names[0] !== undefined) await errorOf(names[0], other);
if (errors.length === 0 || errors.some((error) => !(error < LIMIT))) throw new Error(`more than ${LIMIT} of the range`);
