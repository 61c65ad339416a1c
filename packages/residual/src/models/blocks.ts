/** The parts that residual networks are built from: convolution + normalisation in two conventions, and two blocks.
 *  (K. He et al., "Deep residual learning for image recognition", arXiv 1512.03385, figures 2 and 5.) */

import type { SymbolicTensor } from '@tensorflow/tfjs-layers';
import * as tfl from '@tensorflow/tfjs-layers';
import { batchNormalization } from './batch-normalization.ts';
import { ModelError } from './errors.ts';
import { heNormalFanIn, heNormalFanOut, seedOf, torchLinear } from './initializers.ts';

/**
 * Whose details a network copies.
 * - `torchvision`: convolutions without bias, padding alike on all sides, BN with ε 1e-5 and momentum 0.9 (0.1 in
 *   PyTorch's terms), He initialisation by fan-out.
 * - `keras`: convolutions with bias, SAME padding, BN with ε 1e-3 and momentum 0.99, He initialisation by fan-in.
 */
export type Convention = 'torchvision' | 'keras';

/** Filters of convolutions by their names, where they are not the regular ones: of a network whose channels were pruned. */
export type Widths = Readonly<Record<string, number>>;

export interface NormOptions {
  /** Start with a γ of 0. Default false. */
  readonly zero?: boolean;
  /** Has a γ. Default true. */
  readonly scale?: boolean;
  /** Default: the convention's. */
  readonly epsilon?: number;
}

/** The layers of one network: everything a convention decides is decided here. */
export class LayerMaker {
  readonly convention: Convention;
  readonly seed: number;
  private readonly widths: Widths;

  constructor(convention: Convention, seed: number, widths: Widths = {}) {
    this.convention = convention;
    this.seed = seed;
    this.widths = widths;
  }

  /** A convolution that gives ⌈size / stride⌉ pixels in either convention. */
  conv(name: string, x: SymbolicTensor, regular: number, kernelSize: number, strides: number): SymbolicTensor {
    const filters = this.widths[name] ?? regular;
    const seed = seedOf(this.seed, `${name}/kernel`);
    const torch = this.convention === 'torchvision';
    // At stride 1, SAME pads (kernel − 1) / 2 on every side, as PyTorch does; at stride 2 it pads less before than after.
    const padded = torch && strides > 1 && kernelSize > 1;
    const input = padded ? this.pad(`${name}.pad`, x, (kernelSize - 1) / 2) : x;
    const layer = tfl.layers.conv2d({
      name,
      filters,
      kernelSize,
      strides,
      padding: padded || kernelSize === 1 ? 'valid' : 'same',
      useBias: !torch,
      kernelInitializer: torch
        ? heNormalFanOut(kernelSize, filters, seed)
        : heNormalFanIn(kernelSize, channelsOf(x), seed),
    });
    return layer.apply(input) as SymbolicTensor;
  }

  norm(name: string, x: SymbolicTensor, { zero = false, scale = true, epsilon }: NormOptions = {}): SymbolicTensor {
    const constants =
      this.convention === 'torchvision' ? { epsilon: 1e-5, momentum: 0.9 } : { epsilon: 1e-3, momentum: 0.99 };
    const own = { scale, ...(epsilon === undefined ? {} : { epsilon }) };
    const layer = batchNormalization({ name, ...constants, ...own, gammaInitializer: zero ? 'zeros' : 'ones' });
    return layer.apply(x) as SymbolicTensor;
  }

  relu(name: string, x: SymbolicTensor): SymbolicTensor {
    return tfl.layers.reLU({ name }).apply(x) as SymbolicTensor;
  }

  add(name: string, a: SymbolicTensor, b: SymbolicTensor): SymbolicTensor {
    const [left, right] = [channelsOf(a), channelsOf(b)];
    if (left !== right) {
      throw new ModelError(`widths: what ${name} adds up must have as many channels, received ${left} and ${right}`);
    }
    return tfl.layers.add({ name }).apply([a, b]) as SymbolicTensor;
  }

  /** The stem's 3×3 max-pool at stride 2. `x` must come out of a ReLU. */
  maxPool(name: string, x: SymbolicTensor): SymbolicTensor {
    const torch = this.convention === 'torchvision';
    // PyTorch pads a max-pool with −∞. After a ReLU zeros are the same: no value is below them, every window holds a
    // real pixel, and where a zero wins the gradient would have ended at the ReLU anyway.
    const input = torch ? this.pad(`${name}.pad`, x, 1) : x;
    const layer = tfl.layers.maxPooling2d({ name, poolSize: 3, strides: 2, padding: torch ? 'valid' : 'same' });
    return layer.apply(input) as SymbolicTensor;
  }

  /** The classifier: global average, then a dense layer. */
  head(x: SymbolicTensor, classes: number, activation: 'softmax' | 'linear'): SymbolicTensor {
    const pooled = tfl.layers
      .globalAveragePooling2d({ name: 'avgpool', dataFormat: 'channelsLast' })
      .apply(x) as SymbolicTensor;
    const inputs = channelsOf(pooled);
    const torch = this.convention === 'torchvision';
    const layer = tfl.layers.dense({
      name: 'fc',
      units: classes,
      activation,
      kernelInitializer: torch
        ? torchLinear(inputs, seedOf(this.seed, 'fc/kernel'))
        : tfl.initializers.glorotUniform({ seed: seedOf(this.seed, 'fc/kernel') }),
      biasInitializer: torch ? torchLinear(inputs, seedOf(this.seed, 'fc/bias')) : 'zeros',
    });
    return layer.apply(pooled) as SymbolicTensor;
  }

  private pad(name: string, x: SymbolicTensor, pixels: number): SymbolicTensor {
    return tfl.layers.zeroPadding2d({ name, padding: [pixels, pixels] }).apply(x) as SymbolicTensor;
  }
}

export interface BlockOptions {
  /** e.g. `layer2.0`: the names of the block's layers begin with it. */
  readonly name: string;
  readonly filters: number;
  readonly stride: number;
  /** The shortcut is a convolution, for the block changes the shape of a regular network. */
  readonly projects: boolean;
  /** Start with a last γ of 0, so that the block begins as the identity (P. Goyal et al., arXiv 1706.02677, 5.1). */
  readonly zeroInit: boolean;
}

export interface Block {
  /** Output channels for each of `filters`. */
  readonly expansion: number;
  build(make: LayerMaker, x: SymbolicTensor, options: BlockOptions): SymbolicTensor;
}

/** Two 3×3 convolutions. */
const basic: Block = {
  expansion: 1,
  build(make, x, { name, filters, stride, projects, zeroInit }) {
    let y = make.conv(`${name}.conv1`, x, filters, 3, stride);
    y = make.norm(`${name}.bn1`, y);
    y = make.relu(`${name}.relu1`, y);
    y = make.conv(`${name}.conv2`, y, filters, 3, 1);
    y = make.norm(`${name}.bn2`, y, { zero: zeroInit });
    y = make.add(`${name}.add`, y, projects ? shortcut(make, x, name, filters, stride) : x);
    return make.relu(`${name}.relu2`, y);
  },
};

/** 1×1 to narrow, 3×3, 1×1 to widen by 4; the stride sits in the 3×3, as in torchvision ("ResNet v1.5"). */
const bottleneck: Block = {
  expansion: 4,
  build(make, x, { name, filters, stride, projects, zeroInit }) {
    let y = make.conv(`${name}.conv1`, x, filters, 1, 1);
    y = make.norm(`${name}.bn1`, y);
    y = make.relu(`${name}.relu1`, y);
    y = make.conv(`${name}.conv2`, y, filters, 3, stride);
    y = make.norm(`${name}.bn2`, y);
    y = make.relu(`${name}.relu2`, y);
    y = make.conv(`${name}.conv3`, y, filters * 4, 1, 1);
    y = make.norm(`${name}.bn3`, y, { zero: zeroInit });
    y = make.add(`${name}.add`, y, projects ? shortcut(make, x, name, filters * 4, stride) : x);
    return make.relu(`${name}.relu3`, y);
  },
};

export const blocks = { basic, bottleneck } as const satisfies Record<string, Block>;

/** A 1×1 convolution of the input, of the shape that the block gives. */
function shortcut(make: LayerMaker, x: SymbolicTensor, name: string, filters: number, stride: number): SymbolicTensor {
  const y = make.conv(`${name}.downsample.0`, x, filters, 1, stride);
  return make.norm(`${name}.downsample.1`, y);
}

function channelsOf(x: SymbolicTensor): number {
  const channels = x.shape.at(-1);
  if (!channels) throw new Error(`internal: ${x.name} has no channels`);
  return channels;
}
