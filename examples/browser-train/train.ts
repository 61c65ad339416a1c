/** A page that learns: draws its pictures, trains a small ResNet18 on them where they are, and shows what it makes of
 *  others. Nothing leaves the browser. */
import 'tfjs-backend-jit';
import * as tf from '@tensorflow/tfjs-core';
import { arrayDataset, evaluate, resnet18, train } from 'residual';
import { CLASSES, drawShapes, SIDE, show } from './shapes.ts';

const say = (text: string) => {
  const line = document.querySelector('#status');
  if (line !== null) line.textContent = text;
};

export interface Outcome {
  readonly losses: readonly number[];
  readonly accuracy: number;
}

export async function learn(epochs = 10): Promise<Outcome> {
  await tf.setBackend('jit');
  const imageShape = [SIDE, SIDE, 3] as const;
  const dataset = (name: string, count: number, seed: number) => {
    const pictures = drawShapes(count, seed);
    return { pictures, data: arrayDataset({ name, ...pictures, classes: CLASSES, imageShape }) };
  };
  const training = dataset('shapes/train', 600, 1);
  const others = dataset('shapes/test', 60, 2);

  const model = resnet18({ inputShape: [...imageShape], classes: CLASSES.length, width: 8 });
  const losses: number[] = [];
  const { info } = await train(
    model,
    { classes: CLASSES, imageShape, train: training.data },
    {
      epochs,
      batchSize: 32,
      seed: 1,
      onStep: ({ loss, accuracy, step, steps, imagesPerSecond }) => {
        losses.push(loss);
        say(
          `step ${step} of ${steps}: loss ${loss.toFixed(3)}, ${(100 * accuracy).toFixed(0)} % right, ${imagesPerSecond} images/s`,
        );
      },
    },
  );

  const evaluation = await evaluate(model, others.data, { preprocessing: info.preprocessing });
  say(`${(100 * evaluation.accuracy).toFixed(1)} % of ${others.data.size} pictures that it never saw are right`);
  const wrong = new Map(evaluation.mistakes.map((mistake) => [mistake.index, mistake.predicted]));
  const list = document.querySelector('#pictures');
  list?.replaceChildren();
  others.data.labels.forEach((label, i) => {
    const figure = document.createElement('figure');
    const guess = wrong.get(i);
    figure.className = guess === undefined ? 'right' : 'wrong';
    const caption = document.createElement('figcaption');
    caption.textContent = guess === undefined ? CLASSES[label] : `${CLASSES[guess]}?`;
    figure.append(show(others.pictures, i), caption);
    list?.append(figure);
  });
  return { losses, accuracy: evaluation.accuracy };
}

// A page that is opened learns; a test starts it itself.
if (document.querySelector('#status') !== null) {
  document.querySelector('#start')?.addEventListener('click', () => {
    learn().catch((error: unknown) => say(error instanceof Error ? error.message : String(error)));
  });
}
Object.assign(globalThis, { learn });
