/** Our ResNets as lists of layers with weights, without building them: for files that are looked at without a model,
 *  and to know the parts of a network whose layers have other names. */

import type { Convention } from '../models/blocks.ts';
import { type ResNetVariant, resnetVariants, type Stem } from '../models/resnet.ts';
import { type NeededLayer, type Needs, needsFrom, partOf, type Role } from './layers.ts';

export interface Dimensions {
  readonly width: number;
  readonly channels: number;
  readonly classes: number;
  readonly stem: Stem;
  readonly convention: Convention;
  /** Default false. */
  readonly preactivation?: boolean;
}

export const variantNames = Object.keys(resnetVariants) as readonly ResNetVariant[];

/** What the network that `resnet(variant, …)` builds needs: convolutions and norms each in the order of the data. */
export function needsOfVariant(variant: ResNetVariant, dimensions: Dimensions): Needs {
  const { convention, preactivation = false } = dimensions;
  const bias = convention === 'keras';
  const description = new Description(bias, preactivation ? 2e-5 : bias ? 1e-3 : 1e-5);
  const channels = (preactivation ? describeLater : describe)(description, variant, dimensions);
  const shapes = new Map([
    ['kernel', [channels, dimensions.classes]],
    ['bias', [dimensions.classes]],
  ]);
  description.layers.push({ name: 'fc', kind: 'dense', shapes, part: 'fc' });
  return needsFrom(variant, description.layers, bias ? 'same' : 'symmetric');
}

/** A list of layers that grows. */
class Description {
  readonly layers: NeededLayer[] = [];
  private readonly bias: boolean;
  private readonly epsilon: number;

  constructor(bias: boolean, epsilon: number) {
    this.bias = bias;
    this.epsilon = epsilon;
  }

  conv(name: string, kernel: number, from: number, to: number, norm?: string): void {
    const shapes = new Map<Role, readonly number[]>([['kernel', [kernel, kernel, from, to]]]);
    if (this.bias) shapes.set('bias', [to]);
    this.layers.push({ name, kind: 'conv', shapes, part: partOf(name), ...(norm === undefined ? {} : { norm }) });
  }

  norm(name: string, channels: number, terms: readonly Role[] = NORM): void {
    const shapes = new Map(terms.map((term) => [term, [channels]]));
    this.layers.push({ name, kind: 'norm', shapes, part: partOf(name), epsilon: this.epsilon });
  }
}

const NORM: readonly Role[] = ['gamma', 'beta', 'moving_mean', 'moving_variance'];

/** Normalisation after each convolution; gives the channels at the end. */
function describe(to: Description, variant: ResNetVariant, size: Dimensions): number {
  const conv = (name: string, norm: string, kernel: number, from: number, out: number) => {
    to.conv(name, kernel, from, out, norm);
    to.norm(norm, out);
  };
  conv('conv1', 'bn1', size.stem === 'cifar' ? 3 : 7, size.channels, size.width);
  let channels = size.width;
  for (const { stage, block, kernels, filters } of blocksOf(variant, size.width)) {
    const before = channels;
    const name = `layer${stage + 1}.${block}`;
    for (const [k, kernel] of kernels.entries()) {
      conv(`${name}.conv${k + 1}`, `${name}.bn${k + 1}`, kernel, channels, filters[k] ?? 0);
      channels = filters[k] ?? 0;
    }
    if (block > 0 || (stage === 0 && before === channels)) continue;
    conv(`${name}.downsample.0`, `${name}.downsample.1`, 1, before, channels);
  }
  return channels;
}

/** Normalisation before each convolution. */
function describeLater(to: Description, variant: ResNetVariant, size: Dimensions): number {
  to.norm('bn_data', size.channels, NORM.slice(1));
  to.conv('conv0', size.stem === 'cifar' ? 3 : 7, size.channels, size.width, 'bn0');
  to.norm('bn0', size.width);
  let channels = size.width;
  for (const { stage, block, kernels, filters } of blocksOf(variant, size.width)) {
    const name = `stage${stage + 1}_unit${block + 1}_`;
    const before = channels;
    for (const [k, kernel] of kernels.entries()) {
      to.norm(`${name}bn${k + 1}`, channels);
      const next = k + 1 < kernels.length ? `${name}bn${k + 2}` : undefined;
      to.conv(`${name}conv${k + 1}`, kernel, channels, filters[k] ?? 0, next);
      channels = filters[k] ?? 0;
    }
    if (block === 0) to.conv(`${name}sc`, 1, before, channels);
  }
  to.norm('bn1', channels);
  return channels;
}

/** Every block with its kernels and their filters. */
function blocksOf(variant: ResNetVariant, width: number) {
  const { block: kind, layers } = resnetVariants[variant];
  return layers.flatMap((count, stage) => {
    const narrow = width * 2 ** stage;
    const basic = kind === 'basic';
    const kernels = basic ? [3, 3] : [1, 3, 1];
    const filters = basic ? [narrow, narrow] : [narrow, narrow, narrow * 4];
    return Array.from({ length: count }, (_, block) => ({ stage, block, kernels, filters }));
  });
}

/**
 * The same needs with the parts of a ResNet named, where the layers have other names but stand in the order and have the
 * shapes of one of ours, as the guide's network written in TF.js.
 */
export function withParts(needs: Needs): Needs {
  if (needs.layers.some(({ part }) => part !== undefined)) return needs;
  const [height = 0, , channels = 0, width = 0] = needs.first?.shapes.get('kernel') ?? [];
  const classes = needs.head?.shapes.get('kernel')?.[1] ?? 0;
  const stem = height === 7 ? 'imagenet' : 'cifar';
  for (const variant of variantNames) {
    const known = needsOfVariant(variant, { width, channels, classes, stem, convention: 'torchvision' });
    const parts = samePlaces(needs, known);
    if (parts === undefined) continue;
    const layers = needs.layers.map((layer) => ({ ...layer, part: parts.get(layer.name) }));
    return needsFrom(needs.name, layers, needs.padding);
  }
  return needs;
}

/** From layer to part, where each kind has the same kernels in the same order. */
function samePlaces(needs: Needs, known: Needs): Map<string, string> | undefined {
  const parts = new Map<string, string>();
  if (needs.layers.length !== known.layers.length) return undefined;
  for (const kind of ['conv', 'norm', 'dense'] as const) {
    const ours = known.layers.filter((layer) => layer.kind === kind);
    const theirs = needs.layers.filter((layer) => layer.kind === kind);
    if (ours.length !== theirs.length) return undefined;
    for (const [i, layer] of theirs.entries()) {
      const part = ours[i];
      const shape = kind === 'norm' ? 'moving_mean' : 'kernel';
      if (part === undefined || `${part.shapes.get(shape)}` !== `${layer.shapes.get(shape)}`) return undefined;
      parts.set(layer.name, part.name);
    }
  }
  return parts;
}
