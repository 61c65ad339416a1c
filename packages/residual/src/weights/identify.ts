/** Which of our networks a file is for, found without a model: its own first convolution and classifier tell the sizes.
 *  For `residual weights inspect`, and for building a network around a file. */

import type { ResNetVariant } from '../models/resnet.ts';
import { type Dimensions, needsOfVariant, variantNames } from './architectures.ts';
import { type Assignment, assign, type FileView, kernelShape, viewOf } from './assign.ts';
import { extraKernels, mismatch, strangerIn } from './choose.ts';
import { fit } from './fit.ts';
import type { Needs, Role } from './layers.ts';
import { weightMaps } from './maps/index.ts';
import type { WeightMap } from './maps/map.ts';
import type { WeightFile, WeightTensor } from './tensor.ts';

/** One of our networks as a file has it, or nearly. */
export interface Candidate {
  readonly architecture: ResNetVariant;
  readonly dimensions: Dimensions;
  /** The file has a classifier with this many classes; false for a backbone alone. */
  readonly hasHead: boolean;
  readonly map: string;
  readonly mapTitle: string;
  readonly prefix: string;
  /** Of the network's weights, those that the file has, and all. */
  readonly taken: number;
  readonly all: number;
  /** Why it does not fit, one text for each weight; empty where it does. */
  readonly mismatches: readonly string[];
}

export interface Identity {
  /** The network that the file fits. */
  readonly fits: Candidate | undefined;
  /** Where it fits none: the nearest, if any name or shape is known. */
  readonly nearest: Candidate | undefined;
  /** What else it is known to be, e.g. `a ResNet-D (…)`. */
  readonly stranger: string | undefined;
}

/** Looks at names and shapes; no value is read. */
export function identify(file: WeightFile): Identity {
  const view = viewOf(file);
  const candidates = weightMaps.flatMap((map) =>
    variantNames.flatMap((variant) => [false, true].flatMap((later) => candidateOf(map, view, variant, later))),
  );
  // The sort is stable: of equals the first map and the shallowest network.
  const best = candidates.sort(
    (a, b) => Number(a.mismatches.length > 0) - Number(b.mismatches.length > 0) || b.taken / b.all - a.taken / a.all,
  )[0];
  const fits = best?.mismatches.length === 0 ? best : undefined;
  const nearest = fits === undefined && best !== undefined && best.taken > 0 ? best : undefined;
  return { fits, nearest, stranger: fits === undefined ? strangerIn(view)?.is : undefined };
}

function candidateOf(map: WeightMap, view: FileView, architecture: ResNetVariant, preactivation: boolean): Candidate[] {
  const found = dimensionsOf(map, view, architecture, preactivation);
  if (found === undefined) return [];
  const { dimensions, hasHead } = found;
  const needs = needsOfVariant(architecture, dimensions);
  const assignment = assign(map, view, needs);
  if (assignment === undefined) return [];
  const result = fit(needs, assignment);
  const deeper = extraKernels(view, result).map((name) => `${name} is of no layer of ${architecture}`);
  const mismatches = [...result.problems.map(mismatch), ...deeper];
  const { prefix, taken, all } = result;
  return [{ architecture, dimensions, hasHead, map: map.name, mapTitle: map.title, prefix, taken, all, mismatches }];
}

/** From the first convolution's kernel, and the classifier's where there is one. */
function dimensionsOf(
  map: WeightMap,
  view: FileView,
  architecture: ResNetVariant,
  preactivation: boolean,
): { readonly dimensions: Dimensions; readonly hasHead: boolean } | undefined {
  const later = preactivation ? { preactivation } : {};
  const guess = { width: 1, channels: 1, classes: 1, stem: 'imagenet', convention: 'torchvision', ...later } as const;
  const needs = needsOfVariant(architecture, guess);
  const assignment = assign(map, view, needs);
  if (assignment === undefined) return undefined;
  const first = firstTensors(map, view, assignment, needs, 'conv');
  const head = firstTensors(map, view, assignment, needs, 'dense');
  const [height = 0, , channels = 0, width = 0] = kernelShape(map, first?.get('kernel')?.shape ?? []);
  if (width === 0) return undefined;
  const classes = kernelShape(map, head?.get('kernel')?.shape ?? [])[1];
  // A bias beside batch normalisation is Keras's way; without any it is what is left of one that was folded.
  const convention = first?.has('bias') && hasNorms(map, view, assignment, needs) ? 'keras' : 'torchvision';
  const stem = height === 7 ? 'imagenet' : 'cifar';
  return {
    dimensions: { width, channels, classes: classes ?? 1000, stem, convention, ...later },
    hasHead: classes !== undefined,
  };
}

type Tensors = ReadonlyMap<Role, WeightTensor> | undefined;

function firstTensors(
  map: WeightMap,
  { layers }: FileView,
  { found }: Assignment,
  { first, head }: Needs,
  kind: 'conv' | 'dense',
): Tensors {
  if (map.by === 'order') {
    const ofKind = layers.filter((layer) => layer.kind === kind);
    return (kind === 'conv' ? ofKind[0] : ofKind.at(-1))?.tensors;
  }
  const layer = kind === 'conv' ? first : head;
  return layer === undefined ? undefined : found.get(layer);
}

function hasNorms(map: WeightMap, { layers }: FileView, { found }: Assignment, needs: Needs): boolean {
  if (map.by === 'order') return layers.some(({ kind }) => kind === 'norm');
  return needs.layers.some((layer) => layer.kind === 'norm' && (found.get(layer)?.size ?? 0) > 0);
}
