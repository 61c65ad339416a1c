/** ResNets of every depth from one line of data each (K. He et al., arXiv 1512.03385, table 1).
 *  The result is an ordinary tf.LayersModel whose layers carry torchvision's names, so that its weights fit. */

import type { SymbolicTensor } from '@tensorflow/tfjs-layers';
import * as tfl from '@tensorflow/tfjs-layers';
import type { ImageShape } from '../data/dataset.ts';
import { blocks, type Convention, LayerMaker, type Widths } from './blocks.ts';
import { ModelError } from './errors.ts';
import { preactivationTrunk } from './preactivation.ts';

interface Variant {
  readonly block: keyof typeof blocks;
  /** Blocks in each of the four stages. */
  readonly layers: readonly [number, number, number, number];
}

export const resnetVariants = {
  resnet18: { block: 'basic', layers: [2, 2, 2, 2] },
  resnet34: { block: 'basic', layers: [3, 4, 6, 3] },
  resnet50: { block: 'bottleneck', layers: [3, 4, 6, 3] },
  resnet101: { block: 'bottleneck', layers: [3, 4, 23, 3] },
  resnet152: { block: 'bottleneck', layers: [3, 8, 36, 3] },
} as const satisfies Record<string, Variant>;

export type ResNetVariant = keyof typeof resnetVariants;

/** How a picture enters: 7×7 at stride 2 and a 3×3 max-pool at stride 2, or 3×3 at stride 1 and no pool. */
export type Stem = 'imagenet' | 'cifar';

export interface ResNetOptions {
  /** Height, width and channels of the pictures; any number of channels. */
  readonly inputShape: ImageShape;
  /** Number of outputs. */
  readonly classes: number;
  /** Default: `cifar` up to 64 pixels on the longer side, `imagenet` above. */
  readonly stem?: Stem;
  /** Default `torchvision`; `keras` is what a TensorFlow tutorial would write, biases and SAME padding included. */
  readonly convention?: Convention;
  /** Start each block as the identity, by a γ of 0 in its last BN. Default false. */
  readonly zeroInitResidual?: boolean;
  /**
   * Normalise before each convolution instead of after it (arXiv 1603.05027), as the ResNets of MXNet's symbols and of
   * classification_models do; the layers have their names. Default false.
   */
  readonly preactivation?: boolean;
  /** Filters of the first stage; the others double it. Default 64. */
  readonly width?: number;
  /**
   * Filters of single convolutions by their names, e.g. `{ 'layer1.0.conv1': 48 }`: a network whose channels were
   * pruned. Convolutions whose results are added up must have as many. Default: all are regular.
   */
  readonly widths?: Widths;
  /** Of the starting weights: the same seed gives the same weights, bit for bit. Default 0. */
  readonly seed?: number;
  /** Default `softmax`: probabilities. `linear` gives logits. */
  readonly activation?: 'softmax' | 'linear';
}

/**
 * Builds a residual network, [batch, height, width, channels] → [batch, classes].
 *
 * Convolutions start by He's rule (arXiv 1502.01852): by fan-out, normal, as torchvision; by fan-in, truncated normal,
 * as Keras's `he_normal`, in the `keras` convention. The dense layer starts as each library's own does.
 *
 * @throws ModelError for impossible options
 * @example resnet('resnet34', { inputShape: [224, 224, 3], classes: 10 })
 */
export function resnet(variant: ResNetVariant, options: ResNetOptions): tfl.LayersModel {
  const { inputShape, classes, convention, zeroInitResidual, width, seed, activation } = withDefaults(variant, options);
  const { block: blockName, layers }: Variant = resnetVariants[variant];
  const stemKind = options.stem ?? stemFor(inputShape);
  const block = blocks[blockName];
  const make = new LayerMaker(convention, seed, options.widths);

  const input = tfl.input({ shape: [...inputShape], name: 'input' });
  if (options.preactivation) {
    const features = preactivationTrunk(make, input, { block: blockName, layers, width, stem: stemKind });
    return checkWidths(
      tfl.model({ inputs: input, outputs: make.head(features, classes, activation), name: variant }),
      options,
    );
  }
  let x = stem(make, input, width, stemKind);
  layers.forEach((count, stage) => {
    for (let i = 0; i < count; i++) {
      const stride = stage > 0 && i === 0 ? 2 : 1;
      const name = `layer${stage + 1}.${i}`;
      const projects = i === 0 && (stage > 0 || block.expansion > 1);
      x = block.build(make, x, { name, filters: width * 2 ** stage, stride, projects, zeroInit: zeroInitResidual });
    }
  });
  return checkWidths(tfl.model({ inputs: input, outputs: make.head(x, classes, activation), name: variant }), options);
}

/** ResNet-18: 11,689,512 trainable parameters at 1000 classes and 3 channels (11,694,312 in the `keras` convention). */
export function resnet18(options: ResNetOptions): tfl.LayersModel {
  return resnet('resnet18', options);
}

/** ResNet-34: 21,797,672 trainable parameters at 1000 classes and 3 channels. */
export function resnet34(options: ResNetOptions): tfl.LayersModel {
  return resnet('resnet34', options);
}

/** ResNet-50 (v1.5): 25,557,032 trainable parameters at 1000 classes and 3 channels. */
export function resnet50(options: ResNetOptions): tfl.LayersModel {
  return resnet('resnet50', options);
}

/** The stem that a network takes for pictures of this size when none is named. */
export function stemFor(inputShape: ImageShape): Stem {
  return Math.max(inputShape[0], inputShape[1]) <= 64 ? 'cifar' : 'imagenet';
}

function stem(make: LayerMaker, input: SymbolicTensor, width: number, kind: Stem): SymbolicTensor {
  const cifar = kind === 'cifar';
  let x = make.conv('conv1', input, width, cifar ? 3 : 7, cifar ? 1 : 2);
  x = make.norm('bn1', x);
  x = make.relu('relu', x);
  return cifar ? x : make.maxPool('maxpool', x);
}

/** @throws ModelError for a width of no convolution */
function checkWidths(model: tfl.LayersModel, { widths = {} }: ResNetOptions): tfl.LayersModel {
  const convolutions = model.layers.filter((layer) => layer.getClassName() === 'Conv2D').map(({ name }) => name);
  const unknown = Object.keys(widths).find((name) => !convolutions.includes(name));
  if (unknown === undefined) return model;
  throw new ModelError(
    `${model.name}: widths must be of its convolutions, received '${unknown}'; they are ${convolutions.join(', ')}`,
  );
}

function withDefaults(variant: string, options: ResNetOptions) {
  const {
    convention = 'torchvision',
    zeroInitResidual = false,
    width = 64,
    seed = 0,
    activation = 'softmax',
  } = options;
  const { inputShape, classes } = options;
  const check = (ok: boolean, rule: string, value: unknown) => {
    if (!ok) throw new ModelError(`${variant}: ${rule}, received ${JSON.stringify(value)}`);
  };
  const positive = (value: number) => Number.isInteger(value) && value > 0;
  const shapeRule = 'inputShape must be [height, width, channels] in whole numbers from 1 up';
  check(Array.isArray(inputShape) && inputShape.length === 3 && inputShape.every(positive), shapeRule, inputShape);
  check(positive(classes), 'classes must be a whole number from 1 up', classes);
  check(positive(width), 'width must be a whole number from 1 up', width);
  for (const [name, value] of Object.entries(options.widths ?? {})) {
    check(positive(value), `widths: ${name} must be a whole number from 1 up`, value);
  }
  check(Number.isSafeInteger(seed) && seed >= 0, 'seed must be an integer from 0 to 2^53 - 1', seed);
  check(['torchvision', 'keras'].includes(convention), `convention must be 'torchvision' or 'keras'`, convention);
  check(['imagenet', 'cifar', undefined].includes(options.stem), `stem must be 'imagenet' or 'cifar'`, options.stem);
  const { preactivation = false } = options;
  check(typeof preactivation === 'boolean', 'preactivation must be true or false', preactivation);
  check(
    !(preactivation && zeroInitResidual),
    'zeroInitResidual needs a γ that preactivation has not',
    zeroInitResidual,
  );
  check(['softmax', 'linear'].includes(activation), `activation must be 'softmax' or 'linear'`, activation);
  return { inputShape, classes, convention, zeroInitResidual, width, seed, activation };
}
