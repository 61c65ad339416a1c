/** Seeded starting weights: He initialisation as torchvision and as Keras do it.
 *  They are TF.js's own initialisers with the spread worked out, so a saved model names only what stock TF.js knows. */

import * as tfl from '@tensorflow/tfjs-layers';

type Initializer = ReturnType<typeof tfl.initializers.zeros>;

/** A normal variable cut off at ±2σ has this standard deviation; Keras divides by it, tfjs-layers' `heNormal` does not. */
const TRUNCATED_STDDEV = 0.87962566103423978;

/** Normal, variance 2 / (kernel² · output channels): torchvision's `kaiming_normal_(mode='fan_out')`. */
export function heNormalFanOut(kernelSize: number, filters: number, seed: number): Initializer {
  return tfl.initializers.randomNormal({ mean: 0, stddev: Math.sqrt(2 / (kernelSize ** 2 * filters)), seed });
}

/** Normal cut at two standard deviations, variance 2 / (kernel² · input channels): Keras's `he_normal`. */
export function heNormalFanIn(kernelSize: number, channels: number, seed: number): Initializer {
  const stddev = Math.sqrt(2 / (kernelSize ** 2 * channels)) / TRUNCATED_STDDEV;
  return tfl.initializers.truncatedNormal({ mean: 0, stddev, seed });
}

/** Uniform between ±1/√inputs: PyTorch's default for the kernel and the bias of a dense layer. */
export function torchLinear(inputs: number, seed: number): Initializer {
  const limit = 1 / Math.sqrt(inputs);
  return tfl.initializers.randomUniform({ minval: -limit, maxval: limit, seed });
}

/**
 * A seed of a weight's own, 32 bits, from the model's seed and the weight's name (FNV-1a, then MurmurHash3's finish):
 * a weight starts the same wherever in the network it stands.
 */
export function seedOf(seed: number, name: string): number {
  let hash = 0x811c9dc5;
  for (const character of `${seed}/${name}`) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
