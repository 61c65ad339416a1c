/** All the ways out of a trained network at once: one picture gives the same class and the same probabilities through
 *  `residual predict`, through every exported file in its own runtime, and through every file in our own engine. */

import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import sharp from 'sharp';
import { closeSplits, type Splits } from '../data/dataset.ts';
import { fashionMnist } from '../data/node/embedded.ts';
import type { Precision } from '../export/artefact.ts';
import { formats } from '../export/formats.ts';
import { normalised, picturesOf, softmaxRows } from '../export/measure.ts';
import type { ModelInfo } from '../models/info.ts';
import { saveModel } from '../models/saved-model.ts';
import { resnet18 } from '../weights/node/pretrained.ts';
import { findWeights } from '../weights/registry/find.ts';
import { classesOf, preprocessingOf } from '../weights/registry/preprocessing.ts';
import { atMost } from './evaluation-data.ts';
import { loadClassifier } from './load-classifier.ts';
import { predictFiles } from './predict-files.ts';
import { residual, temporaryFolder } from './testing.ts';

/** How far probabilities may part from those of `residual predict`. What lies between the two is in each format's tests. */
const LIMITS = { float32: 1e-4, int8: 0.05 } as const satisfies Partial<Record<Precision, number>>;
const precisions = ['float32', 'int8'] as const;

let folder = '';
let png = '';
/** The picture's pixels as the PNG holds them. */
let bytes = new Float32Array();
let splits: Splits;

before(async () => {
  await tf.setBackend('jit');
  folder = await temporaryFolder();
  splits = await fashionMnist({ validation: 0 });
  if (!splits.test) throw new Error('internal: the embedded set has test images');
  for await (const batch of picturesOf(atMost(splits.test, 1)).batches(1)) bytes = Float32Array.from(batch.bytes);
  png = join(folder, 'picture.png');
  const raw = { width: 28, height: 28, channels: 1 } as const;
  await sharp(Uint8Array.from(bytes), { raw }).png().toFile(png);
});

after(async () => {
  await closeSplits(splits);
  await rm(folder, { recursive: true });
});

test('one picture, one answer: predict, every file in its runtime, and every file in our engine', async () => {
  const model = await resnet18({ weights: 'fashion-mnist' });
  const entry = findWeights('fashion-mnist');
  assert.ok(entry);
  const preprocessing = preprocessingOf(entry, [28, 28, 1]);
  const classes = classesOf(entry);
  const calibration = picturesOf(atMost(splits.train, 64));
  const info: ModelInfo = {
    format: 'residual/1',
    architecture: 'resnet18',
    classes,
    preprocessing,
  };
  await saveModel(model, info, join(folder, 'net'));

  const { code, stdout, stderr } = await residual(['predict', 'net', png, '--json', '--top', '10'], { cwd: folder });
  assert.equal(code, 0, stderr);
  const { predictions } = JSON.parse(stdout) as {
    readonly predictions: readonly { readonly predictions: readonly { class: string; probability: number }[] }[];
  };
  const said = new Map(predictions[0]?.predictions.map((one) => [one.class, one.probability]));
  const expected = classes.map((name) => said.get(name) ?? Number.NaN);

  let ways = 0;
  const check = (way: string, probabilities: ArrayLike<number>, limit: number) => {
    ways++;
    const differences = expected.map((value, i) => Math.abs(value - (probabilities[i] ?? Number.NaN)));
    const most = Math.max(...differences);
    assert.ok(most <= limit, `${way}: differs by ${most}`);
    const best = (values: ArrayLike<number>) => Array.from(values).indexOf(Math.max(...Array.from(values)));
    assert.equal(best(probabilities), best(expected), way);
  };
  for (const format of formats) {
    for (const precision of precisions.filter((one) => format.precisions.includes(one))) {
      const request = { model, info, precision, softmax: 'keep', input: 'float32', calibration, version: '0' } as const;
      const files = await format.write(request);
      const target = format.target(precision);
      const running = await format.open(files);
      const given = running.info.range === 'bytes' ? bytes : normalised(bytes, preprocessing);
      const outputs = await running.run(given, 1);
      check(
        `${target} in ${running.runtime}`,
        running.info.gives === 'logits' ? softmaxRows(outputs, classes.length) : outputs,
        LIMITS[precision],
      );
      await running.close();
      for (const file of files) {
        await mkdir(dirname(join(folder, file.path)), { recursive: true });
        await writeFile(join(folder, file.path), file.bytes);
      }
      const own = await loadClassifier(join(folder, target));
      const [result] = await predictFiles(own.model, own.info, [png]);
      if (result === undefined || 'problem' in result) assert.fail(result?.problem);
      check(`${target} in our engine`, result.probabilities, LIMITS[precision]);
      own.dispose();
    }
  }
  // Five formats in floats and two in integers, each in its runtime and in our engine.
  assert.equal(ways, 14);
});
