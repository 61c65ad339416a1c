/** ResNet18 at 224 with 1000 classes in both conventions, written in every format and precision and run in its runtime:
 *  `npx node interop/export/every-format.ts`. Ends with 1 where a file of floats parts from the network by more than 1e-4
 *  of the logits' range, or the int8 TFLite file is larger than 11.8 MB. */

import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import { formats } from '../../packages/residual/src/export/formats.ts';
import { infoFor, pretendTrained } from '../../packages/residual/src/export/graph/testing.ts';
import type { Pictures } from '../../packages/residual/src/export/measure.ts';
import { networkOf } from '../../packages/residual/src/models/network.ts';
import { resnet } from '../../packages/residual/src/models/resnet.ts';

const BATCH = 2;

await tf.setBackend('jit');
for (const convention of ['torchvision', 'keras'] as const) {
  const model = pretendTrained(
    resnet('resnet18', { inputShape: [224, 224, 3], classes: 1000, stem: 'imagenet', convention }),
  );
  const info = infoFor(model);
  const x = tf.randomNormal([BATCH, 224, 224, 3], 0, 1, 'float32', 3) as tf.Tensor4D;
  const images = (await x.data()) as Float32Array;
  const logits = networkOf(model).apply(x, false);
  const expected = (await logits.data()) as Float32Array;
  const range = Math.max(...expected) - Math.min(...expected);
  const calibration: Pictures = {
    count: BATCH,
    async *batches() {
      yield { bytes: images.map((value) => Math.min(255, Math.max(0, 128 + 50 * value))) };
    },
  };
  for (const format of formats) {
    for (const precision of format.precisions) {
      const request = { model, info, precision, softmax: 'drop', input: 'float32', calibration, version: '0' } as const;
      const files = await format.write(request);
      const megabytes = files.reduce((sum, { bytes }) => sum + bytes.length, 0) / 1e6;
      const file = await format.open(files);
      const given = await file.run(images, BATCH);
      await file.close();
      const most = expected.reduce((max, value, i) => Math.max(max, Math.abs(value - (given[i] ?? Number.NaN))), 0);
      const isOff = precision === 'float32' && !(most / range <= 1e-4);
      const isLarge = format.name === 'tflite' && precision === 'int8' && megabytes > 11.8;
      if (isOff || isLarge) process.exitCode = 1;
      console.log(
        `${convention.padEnd(12)} ${format.target(precision).padEnd(22)} ${file.runtime.padEnd(30)} ` +
          `${megabytes.toFixed(2).padStart(6)} MB  differs by ${(most / range).toExponential(1)}`,
      );
    }
  }
  tf.dispose([x, logits]);
  model.dispose();
}
process.exit();
