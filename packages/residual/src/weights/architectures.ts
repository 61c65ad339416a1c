/** Our ResNets as lists of layers with weights, without building them: for files that are looked at without a model,
 *  and to know the parts of a network whose layers have other names. */

import type { Convention } from '../models/blocks.ts';
import { type ResNetVariant, resnetVariants, type Stem } from '../models/resnet.ts';
import { type NeededLayer, type Needs, needsFrom, type Role } from './layers.ts';

export interface Dimensions {
  readonly width: number;
  readonly channels: number;
  readonly classes: number;
  readonly stem: Stem;
  readonly convention: Convention;
}

export const variantNames = Object.keys(resnetVariants) as readonly ResNetVariant[];

/** What the network that `resnet(variant, …)` builds needs, layer by layer in its order. */
export function needsOfVariant(variant: ResNetVariant, { convention, ...size }: Dimensions): Needs {
  const { block, layers: counts } = resnetVariants[variant];
  const bias = convention === 'keras';
  const epsilon = bias ? 1e-3 : 1e-5;
  const layers: NeededLayer[] = [];
  const conv = (name: string, norm: string, kernel: number, from: number, to: number) => {
    const shapes = new Map<Role, readonly number[]>([['kernel', [kernel, kernel, from, to]]]);
    if (bias) shapes.set('bias', [to]);
    const terms = ['gamma', 'beta', 'moving_mean', 'moving_variance'];
    layers.push({ name, kind: 'conv', shapes, part: name, norm });
    layers.push({ name: norm, kind: 'norm', shapes: new Map(terms.map((term) => [term, [to]])), part: norm, epsilon });
  };
  conv('conv1', 'bn1', size.stem === 'cifar' ? 3 : 7, size.channels, size.width);
  let channels = size.width;
  counts.forEach((count, stage) => {
    const filters = size.width * 2 ** stage;
    const kernels = block === 'basic' ? [3, 3] : [1, 3, 1];
    for (let i = 0; i < count; i++) {
      const before = channels;
      kernels.forEach((kernel, k) => {
        const to = block === 'bottleneck' && k === 2 ? filters * 4 : filters;
        conv(`layer${stage + 1}.${i}.conv${k + 1}`, `layer${stage + 1}.${i}.bn${k + 1}`, kernel, channels, to);
        channels = to;
      });
      if (i > 0 || (stage === 0 && before === channels)) continue;
      conv(`layer${stage + 1}.0.downsample.0`, `layer${stage + 1}.0.downsample.1`, 1, before, channels);
    }
  });
  const shapes = new Map([
    ['kernel', [channels, size.classes]],
    ['bias', [size.classes]],
  ]);
  layers.push({ name: 'fc', kind: 'dense', shapes, part: 'fc' });
  return needsFrom(variant, layers, bias ? 'same' : 'symmetric');
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
