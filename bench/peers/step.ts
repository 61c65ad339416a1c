/** One step of the work on TensorFlow.js, whichever backend is set, in Node and in a page: this project's own ResNet18. */
import * as tf from '@tensorflow/tfjs-core';
import { predict } from '../../packages/residual/src/models/inference.ts';
import { resnet18 } from '../../packages/residual/src/models/resnet.ts';
import { sgd } from '../../packages/residual/src/train/sgd.ts';
import { trainingStep } from '../../packages/residual/src/train/step.ts';
import type { Work } from '../work.ts';

export interface Prepared {
  /** Works through one batch, and knows its result. */
  readonly step: () => Promise<void>;
  readonly parameters: number;
}

export async function stepOf({ mode, stem, batch, size, classes }: Work): Promise<Prepared> {
  const model = resnet18({ inputShape: [size, size, 3], classes, stem });
  const random = tf.randomNormal([batch, size, size, 3], 0, 1, 'float32', 1);
  const images = (await random.data()) as Float32Array;
  random.dispose();
  const parameters = model.trainableWeights.reduce(
    (sum, { shape }) => sum + tf.util.sizeFromShape(shape as number[]),
    0,
  );
  if (mode === 'infer') {
    // Numbers in, probabilities out, as a session of ONNX Runtime takes and gives them.
    const step = async () => {
      await predict(model, images, { batchSize: batch });
    };
    return { step, parameters };
  }
  const train = trainingStep(model, { optimizer: sgd({ learningRate: 0.01, momentum: 0.9 }) });
  const input = {
    images,
    labels: Int32Array.from({ length: batch }, (_, i) => (i * 7919) % classes),
    size: batch,
  };
  const step = async () => {
    const { loss } = await train(input);
    if (!Number.isFinite(loss)) throw new Error(`the loss is ${loss}`);
  };
  return { step, parameters };
}
