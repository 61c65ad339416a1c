/** For tests: small data sets that can be learned, made in this process, and small networks to learn them.
 *  Batches are finished by the same code as elsewhere, without threads. */

import * as tfl from '@tensorflow/tfjs-layers';
import { closeSplits, type Dataset, type ImageShape, type Splits } from '../data/dataset.ts';
import { fashionMnist } from '../data/node/embedded.ts';
import { finishBatch } from '../data/produce.ts';
import { Random } from '../data/random.ts';
import { batchNormalization } from '../models/batch-normalization.ts';

const classes = ['top', 'left', 'bottom'];

/** Noise, and a bright half that says the class. */
export function halves(size: number, seed: number, shape: ImageShape = [8, 8, 1]): Dataset {
  const [height, width, channels] = shape;
  const length = height * width * channels;
  const labels = Int32Array.from({ length: size }, (_, i) => i % classes.length);
  const pixels = new Uint8Array(size * length);
  const random = Random.at(seed);
  labels.forEach((label, i) => {
    for (let p = 0; p < length; p++) {
      const [y, x] = [Math.floor(p / (width * channels)), Math.floor(p / channels) % width];
      const bright = [y < height / 2, x < width / 2, y >= height / 2][label];
      pixels[i * length + p] = random.integer(128) + (bright ? 100 : 0);
    }
  });
  return inMemory('halves', classes, shape, labels, pixels);
}

/** A data set of bytes that are there. */
function inMemory(
  name: string,
  classes: readonly string[],
  shape: ImageShape,
  labels: Int32Array,
  pixels: Uint8Array,
): Dataset {
  const length = shape.reduce((a, b) => a * b, 1);
  const read = async (indices: ArrayLike<number>) => {
    const images = new Uint8Array(indices.length * length);
    Array.from(indices).forEach((index, i) => {
      images.set(pixels.subarray(index * length, (index + 1) * length), i * length);
    });
    return { images, indices: Int32Array.from(indices) };
  };
  return {
    name,
    classes,
    size: labels.length,
    imageShape: shape,
    labels,
    skipped: [],
    read,
    async produce(request) {
      const { images, indices } = await read(request.indices);
      return finishBatch({ images, indices, requested: request.indices }, shape, request);
    },
    close: async () => {},
  };
}

export function halvesSplits(train = 60, validation = 12): Splits {
  const parts = { train: halves(train, 1), validation: halves(validation, 2) };
  return { classes, imageShape: parts.train.imageShape, ...parts };
}

/** A convolution, BN and a classifier: fast enough for a test on any backend. */
export function tinyModel(): tfl.LayersModel {
  const input = tfl.input({ shape: [8, 8, 1], name: 'input' });
  const layers = [
    tfl.layers.conv2d({
      name: 'conv',
      filters: 4,
      kernelSize: 3,
      strides: 2,
      kernelInitializer: tfl.initializers.heNormal({ seed: 1 }),
    }),
    batchNormalization({ name: 'norm' }),
    tfl.layers.reLU({ name: 'relu' }),
    tfl.layers.flatten({ name: 'flatten' }),
    tfl.layers.dense({
      name: 'fc',
      units: 3,
      activation: 'softmax',
      kernelInitializer: tfl.initializers.glorotUniform({ seed: 2 }),
    }),
  ];
  let x: tfl.SymbolicTensor = input;
  for (const layer of layers) x = layer.apply(x) as tfl.SymbolicTensor;
  return tfl.model({ inputs: input, outputs: x, name: 'tiny' });
}

/** All weights by name, moving averages included. */
export async function weightsOf(model: tfl.LayersModel): Promise<Record<string, Float32Array>> {
  const entries = model.weights.map(async (weight) => {
    const values = (await weight.read().data()) as Float32Array;
    return [weight.originalName, values.slice()] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** The first images of the embedded Fashion-MNIST, in memory. */
export async function fashionPart(train: number, validation: number): Promise<Splits> {
  const whole = await fashionMnist({ validation: 0.1, seed: 1 });
  const part = async (dataset: Dataset, size: number): Promise<Dataset> => {
    const { images } = await dataset.read(Array.from({ length: size }, (_, i) => i));
    return inMemory(
      `${dataset.name} (${size})`,
      dataset.classes,
      dataset.imageShape,
      dataset.labels.slice(0, size),
      images,
    );
  };
  const parts = {
    train: await part(whole.train, train),
    validation: await part(whole.validation ?? whole.train, validation),
  };
  await closeSplits(whole);
  return { classes: whole.classes, imageShape: whole.imageShape, ...parts };
}

/** A small network without BN, which a large learning rate can blow up or kill. */
export function plainModel(): tfl.LayersModel {
  const kernelInitializer = (seed: number) => tfl.initializers.heNormal({ seed });
  const conv = { kernelSize: 3, strides: 2, activation: 'relu' } as const;
  return tfl.sequential({
    name: 'plain',
    layers: [
      tfl.layers.conv2d({
        inputShape: [28, 28, 1],
        filters: 8,
        ...conv,
        kernelInitializer: kernelInitializer(1),
        name: 'conv1',
      }),
      tfl.layers.conv2d({ filters: 16, ...conv, kernelInitializer: kernelInitializer(2), name: 'conv2' }),
      tfl.layers.flatten(),
      tfl.layers.dense({ units: 10, activation: 'softmax', kernelInitializer: kernelInitializer(3), name: 'fc' }),
    ],
  });
}
