/** Which channels of a network stand or fall together: whoever takes one away must take it from every layer of its set.
 *  A residual sum ties all that is added up in a stage; what lies inside a block is free. */

import type * as tfl from '@tensorflow/tfjs-layers';
import { isBatchNormalization } from '../models/batch-normalization.ts';
import { ModelError } from '../models/errors.ts';
import { graphTo } from '../models/transfer/graph.ts';

type Layer = tfl.layers.Layer;

/** Channels that are pruned together. */
export interface ChannelSet {
  /** The first layer that makes them, e.g. `layer1.0.conv1`. */
  readonly name: string;
  readonly channels: number;
  /** Why none of them can go; undefined where they can. */
  readonly fixed: string | undefined;
}

/** A layer and the channels that pass through it. */
export interface LayerChannels {
  readonly layer: Layer;
  /** `maker`: a convolution or dense layer, whose kernel joins all inputs to all outputs. */
  readonly kind: 'maker' | 'depthwise' | 'norm' | 'other';
  /** The channels of input and output as sets one after the other; a concatenation has several, a flattened map one for each pixel. */
  readonly inputs: readonly ChannelSet[];
  readonly outputs: readonly ChannelSet[];
  /** Multiply-adds for one input and one output channel (for one channel in a depthwise convolution). */
  readonly work: number;
}

export interface ChannelAnalysis {
  readonly sets: readonly ChannelSet[];
  /** In the order of the data. */
  readonly layers: readonly LayerChannels[];
}

/** Layers that treat each channel on its own and have no weights. */
const passing: readonly string[] = [
  ...['ReLU', 'LeakyReLU', 'ELU', 'ThresholdedReLU', 'Dropout', 'SpatialDropout2D', 'GaussianNoise', 'ZeroPadding2D'],
  ...['MaxPooling2D', 'AveragePooling2D', 'GlobalMaxPooling2D', 'GlobalAveragePooling2D', 'UpSampling2D', 'Cropping2D'],
];

/** Layers that compute element by element from several inputs. */
const joining: readonly string[] = ['Add', 'Average', 'Maximum', 'Minimum', 'Multiply'];

/** Of a set while sets are still found to be the same. */
interface Draft {
  /** In the order of the data; the first of those that are the same speaks for all. */
  readonly place: number;
  readonly name: string;
  readonly channels: number;
  fixed: string | undefined;
  same: Draft | undefined;
}

/**
 * Finds the sets by following the channels from the input to the output. The channels of the pictures and of the classes
 * are fixed, and so is whatever enters or leaves a layer of a kind that is not known here.
 *
 * @param model with one input and one output
 * @throws ModelError for a layer that is used twice
 */
export function channelSets(model: tfl.LayersModel): ChannelAnalysis {
  const [output] = model.outputs;
  if (output === undefined) throw new ModelError(`model ${model.name}: has no output`);
  const { order, sources } = graphTo(output);
  const drafts: Draft[] = [];
  const create = (layer: Layer, fixed?: string): Draft[] => {
    const channels = shapeOf(layer.outputShape).at(-1) ?? 1;
    const draft = { place: drafts.length, name: layer.name, channels, fixed, same: undefined };
    drafts.push(draft);
    return [draft];
  };
  const outputs = new Map<Layer, readonly Draft[]>();
  const found = order.map((layer) => {
    if (layer.inboundNodes.length > 1) {
      throw new ModelError(
        `model ${model.name}: layer ${layer.name} is used more than once; its channels are not its own`,
      );
    }
    const inputs = (sources.get(layer) ?? []).map((source) => outputs.get(source) ?? []);
    const kind = kindOf(layer);
    const given = follow(layer, kind, inputs, create);
    outputs.set(layer, given);
    return { layer, kind, inputs: inputs[0] ?? [], outputs: given, work: workOf(layer, kind) };
  });
  for (const draft of outputs.get(output.sourceLayer) ?? []) rootOf(draft).fixed ??= 'the output of the model';
  const sets = new Map(drafts.filter(({ same }) => same === undefined).map((draft) => [draft, setOf(draft)]));
  const known = (list: readonly Draft[]) => list.map((draft) => sets.get(rootOf(draft)) as ChannelSet);
  return {
    sets: [...sets.values()],
    layers: found.map((one) => ({ ...one, inputs: known(one.inputs), outputs: known(one.outputs) })),
  };
}

/** The channels that a layer gives. */
function follow(
  layer: Layer,
  kind: LayerChannels['kind'],
  inputs: readonly (readonly Draft[])[],
  create: (layer: Layer, fixed?: string) => Draft[],
): readonly Draft[] {
  const [first = [], ...others] = inputs;
  const name = layer.getClassName();
  if (name === 'InputLayer') return create(layer, 'the channels of the pictures');
  if (kind === 'maker') return create(layer);
  if (kind === 'norm' || kind === 'depthwise') return first;
  if (passing.includes(name) || (name === 'Activation' && !mixes(layer))) return first;
  if (joining.includes(name)) {
    for (const other of others) tie(first, other, layer.name);
    return first;
  }
  if (name === 'Concatenate' && isLast(layer)) return inputs.flat();
  if (name === 'Flatten') {
    const pixels = shapeOf((layer.input as tfl.SymbolicTensor).shape).slice(1, -1);
    return Array.from({ length: pixels.reduce((product, size) => product * size, 1) }, () => first).flat();
  }
  const reason = `${layer.name}, a layer of kind ${name}, needs all of them`;
  for (const draft of inputs.flat()) rootOf(draft).fixed ??= reason;
  return create(layer, reason);
}

function kindOf(layer: Layer): LayerChannels['kind'] {
  const name = layer.getClassName();
  if ((name === 'Conv2D' || name === 'Dense') && !mixes(layer) && channelsLast(layer)) return 'maker';
  // The classifier's softmax stands behind channels that are fixed anyway.
  if (name === 'Dense' && layer.outboundNodes.length === 0) return 'maker';
  if (isBatchNormalization(layer)) {
    const rank = shapeOf(layer.outputShape).length;
    const { axis = -1 } = layer.getConfig() as { axis?: number };
    return axis === -1 || axis === rank - 1 ? 'norm' : 'other';
  }
  const single = (layer as Layer & { readonly depthMultiplier?: number }).depthMultiplier === 1;
  return name === 'DepthwiseConv2D' && single && channelsLast(layer) ? 'depthwise' : 'other';
}

/** Whether a layer's activation is computed over all channels together. */
function mixes(layer: Layer): boolean {
  return (layer.getConfig() as { activation?: unknown }).activation === 'softmax';
}

function channelsLast(layer: Layer): boolean {
  return (layer.getConfig() as { dataFormat?: unknown }).dataFormat !== 'channelsFirst';
}

function isLast(layer: Layer): boolean {
  const { axis = -1 } = layer.getConfig() as { axis?: number };
  return axis === -1 || axis === shapeOf(layer.outputShape).length - 1;
}

function workOf(layer: Layer, kind: LayerChannels['kind']): number {
  if (kind !== 'maker' && kind !== 'depthwise') return 0;
  const kernel = (layer.weights[0]?.shape ?? []).slice(0, -2);
  const pixels = shapeOf(layer.outputShape).slice(1, -1);
  return [...kernel, ...pixels].reduce<number>((product, size) => product * (size ?? 1), 1);
}

/** Makes two lists of channels the same, one by one; where they do not fit each other, none may change. */
function tie(a: readonly Draft[], b: readonly Draft[], where: string): void {
  const fits = a.length === b.length && a.every((one, i) => one.channels === b[i]?.channels);
  for (const [i, draft] of a.entries()) {
    const [one, other] = [rootOf(draft), fits ? rootOf(b[i] as Draft) : undefined];
    if (other === undefined) one.fixed ??= `${where} joins them with others`;
    else if (one !== other) {
      const [first, second] = one.place < other.place ? [one, other] : [other, one];
      first.fixed ??= second.fixed;
      second.same = first;
    }
  }
  if (!fits) for (const draft of b) rootOf(draft).fixed ??= `${where} joins them with others`;
}

function rootOf(draft: Draft): Draft {
  return draft.same === undefined ? draft : rootOf(draft.same);
}

function setOf({ name, channels, fixed }: Draft): ChannelSet {
  return { name, channels, fixed };
}

function shapeOf(shape: (number | null)[] | (number | null)[][]): number[] {
  const one = Array.isArray(shape[0]) ? shape[0] : (shape as (number | null)[]);
  return one.map((size) => size ?? 1);
}

/** Multiply-adds of convolutions and dense layers for one picture, with so many channels left in each set. */
export function multiplyAdds({ layers }: ChannelAnalysis, left: (set: ChannelSet) => number): number {
  const sum = (sets: readonly ChannelSet[]) => sets.reduce((total, set) => total + left(set), 0);
  return layers.reduce((total, { kind, inputs, outputs, work }) => {
    return total + work * sum(outputs) * (kind === 'maker' ? sum(inputs) : 1);
  }, 0);
}
