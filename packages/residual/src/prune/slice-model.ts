/** Makes a network without some of its channels: the same layers under the same names, with smaller weights.
 *  Works on what TF.js saves of a model, so that any layer that can be saved can be kept. */

import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { ChannelAnalysis, ChannelSet, LayerChannels } from './channel-sets.ts';

/** The channels that stay, by set, in rising order; a set that is missing stays whole. */
export type Kept = ReadonlyMap<ChannelSet, readonly number[]>;

/** A layer as it is written in `model.json`. */
interface LayerJson {
  readonly config: { readonly name: string; filters?: number; units?: number };
}

/**
 * A new model; the given one stays as it is. What the layers compute of the channels that stay is the same, bit for bit,
 * where the channels that go were zero.
 *
 * @throws ModelError where TF.js cannot save the model
 */
export async function sliceModel(
  model: tfl.LayersModel,
  { layers }: ChannelAnalysis,
  kept: Kept,
): Promise<tfl.LayersModel> {
  const saved = await artifactsOf(model);
  const topology = saved.modelTopology as { config: { layers: LayerJson[] } | LayerJson[] };
  const { config } = topology;
  const described = new Map(
    (Array.isArray(config) ? config : config.layers).map(({ config: own }) => [own.name, own] as const),
  );
  const sliced = new Map<string, tf.Tensor>();
  try {
    for (const one of layers) {
      const [inputs, outputs] = [one.inputs, one.outputs].map((sets) => indicesOf(sets, kept));
      const own = described.get(one.layer.name);
      if (one.kind === 'maker' && own !== undefined)
        own[own.filters === undefined ? 'units' : 'filters'] = outputs.length;
      for (const weight of one.layer.weights) {
        sliced.set(weight.originalName, sliceOf(weight.read() as tf.Tensor, weight.originalName, one, inputs, outputs));
      }
    }
    const named = (saved.weightSpecs ?? []).flatMap(({ name }) => {
      const tensor = sliced.get(name);
      return tensor === undefined ? [] : [{ name, tensor }];
    });
    if (named.length !== saved.weightSpecs?.length)
      throw new Error('internal: a weight belongs to no layer of the path');
    const { data: weightData, specs: weightSpecs } = await tf.io.encodeWeights(named);
    return await tfl.loadLayersModel({ load: async () => ({ ...saved, weightData, weightSpecs }) });
  } finally {
    for (const tensor of sliced.values()) tensor.dispose();
  }
}

async function artifactsOf(model: tfl.LayersModel): Promise<tf.io.ModelArtifacts> {
  let artifacts: tf.io.ModelArtifacts | undefined;
  const save = async (made: tf.io.ModelArtifacts): Promise<tf.io.SaveResult> => {
    // A copy: the layers of the model must not see what is changed.
    artifacts = { ...made, modelTopology: JSON.parse(JSON.stringify(made.modelTopology)) };
    return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(made) };
  };
  await model.save({ save });
  if (artifacts === undefined) throw new Error('internal: the model was not saved');
  return artifacts;
}

/** The places of the channels that stay in a tensor that holds these sets one after the other. */
function indicesOf(sets: readonly ChannelSet[], kept: Kept): number[] {
  const indices: number[] = [];
  let offset = 0;
  for (const set of sets) {
    const stay = kept.get(set) ?? Array.from({ length: set.channels }, (_, i) => i);
    for (const channel of stay) indices.push(offset + channel);
    offset += set.channels;
  }
  return indices;
}

function sliceOf(
  weight: tf.Tensor,
  name: string,
  { kind }: LayerChannels,
  inputs: readonly number[],
  outputs: readonly number[],
): tf.Tensor {
  const { rank } = weight;
  const take = (tensor: tf.Tensor, axis: number, indices: readonly number[]) =>
    tf.gather(tensor, tf.tensor1d([...indices], 'int32'), axis);
  return tf.tidy(() => {
    if (kind === 'other') return weight.clone();
    if (rank === 1) return take(weight, 0, outputs);
    if (kind === 'depthwise') return take(weight, rank - 2, inputs);
    if (kind === 'norm') throw new Error(`internal: ${name} has rank ${rank}`);
    return take(take(weight, rank - 2, inputs), rank - 1, outputs);
  });
}
