/** A classifier with a second face: a network of the same weights that computes as its integers will.
 *  Training the face trains the classifier, to work in spite of rounding (B. Jacob et al., arXiv 1712.05877). */

import type * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { type DraftGraph, draftGraph, inferenceGraph } from '../../export/graph/from-model.ts';
import type { GraphNode, InferenceGraph } from '../../export/graph/graph.ts';
import { ModelError } from '../../models/errors.ts';
import type { ModelInfo } from '../../models/info.ts';
import { type CalibrateOptions, calibrate } from '../calibrate.ts';
import type { Quantization } from '../parameters.ts';
import { AwareLayer, type AwareState } from './aware-layer.ts';
import { type AwareOptions, type AwareSettings, awareSettings } from './options.ts';
import { isUnit, Roundings } from './roundings.ts';
import { layersOf, sourceOf } from './sources.ts';
import { quantizationFrom, type TrainedRanges, withRanges } from './trained-ranges.ts';

export interface QuantizeAwareOptions extends AwareOptions, CalibrateOptions {
  /** Some hundred images, normalised, from which the first ranges are taken. */
  readonly calibration: AsyncIterable<Float32Array> | Iterable<Float32Array>;
}

export interface AwareNetwork {
  /**
   * What is trained, with `train` or `model.fit`: its weights are those of the model that it was made of, and its
   * predictions those of the integers to come. Saving it saves that model, with the ranges in its metadata.
   */
  readonly model: tfl.LayersModel;
  readonly settings: AwareSettings;
  /** True: ranges and batch normalisation stay as they are in training. */
  frozen: boolean;
  /** The ranges as they are now. */
  ranges(): Promise<TrainedRanges>;
  /**
   * The integers of the model as it is now.
   *
   * @param graph of the model, with whatever softmax and input; default as the model has them
   */
  quantization(graph?: InferenceGraph): Promise<Quantization>;
  /** Frees the ranges; the model that it was made of stays. */
  dispose(): void;
}

/**
 * Makes a classifier ready for quantization-aware training.
 *
 * Every value that an int8 file stores is rounded to what its integers can say, and so are weights, with batch
 * normalisation folded in. Gradients pass the rounding as if it were not there, and are 0 for what lies outside of a
 * range. Ranges follow the batches by a moving average. Dropout is left out.
 *
 * @param model any classifier whose inference graph can be built, already trained; it is changed by the training
 * @throws ModelError for impossible options, layers that cannot be exported, or no image to calibrate on
 * @example
 * const aware = await quantizeAware(model, info, { calibration: [images] });
 * await train(aware.model, photos, { epochs: 4, callbacks: [freezeStatistics(aware, { after: 2 })] });
 * const tflite = writeTflite(graph, { quantize: 'int8', quantization: await aware.quantization(graph) });
 */
export async function quantizeAware(
  model: tfl.LayersModel,
  info: Pick<ModelInfo, 'architecture' | 'classes' | 'preprocessing'>,
  { calibration, observer, signal, onProgress, ...options }: QuantizeAwareOptions,
): Promise<AwareNetwork> {
  const settings = awareSettings(options);
  // With a softmax the logits can be told from the end, whether the model has one or not.
  const graph = await inferenceGraph(model, info, { softmax: 'add' });
  const draft = await draftGraph(model, info, { softmax: 'add' });
  const unknown = settings.keepFloat.find((name) => !graph.nodes.some((node) => node.name === name));
  if (unknown !== undefined) {
    const names = graph.nodes.map(({ name }) => name).join(', ');
    throw new ModelError(`keepFloat: ${graph.name} has no layer ${unknown}; layers: ${names}`);
  }
  const watching = { ...(observer && { observer }), ...(signal && { signal }), ...(onProgress && { onProgress }) };
  const start = await calibrate(graph, calibration, watching);
  const { bits, scheme, weightBits, granularity, rangeDecay, keepFloat } = settings;
  const weights = { bits: weightBits, granularity };
  const state: AwareState = { frozen: false, grid: { bits, scheme }, weights, rangeDecay };
  const roundings = new Roundings(graph, start, settings);
  const aware = build(model.name, { graph, draft, roundings, state, float: new Set(keepFloat) });
  const ranges = async () => ({
    ...{ bits, weightBits, granularity, scheme, keepFloat },
    ranges: await roundings.ranges(),
  });
  aware.save = async (target, config) =>
    withRanges(model, await ranges(), () => model.save(target as tf.io.IOHandler, config));
  return {
    model: aware,
    settings,
    get frozen() {
      return state.frozen;
    },
    set frozen(frozen) {
      state.frozen = frozen;
    },
    ranges,
    quantization: async (wanted) => quantizationFrom(await ranges(), wanted ?? (await inferenceGraph(model, info))),
    dispose: () => aware.dispose(),
  };
}

interface Plan {
  readonly graph: InferenceGraph;
  readonly draft: DraftGraph;
  readonly roundings: Roundings;
  readonly state: AwareState;
  /** Nodes that stay in floats. */
  readonly float: ReadonlySet<string>;
}

function build(name: string, { graph, draft, roundings, state, float }: Plan): tfl.LayersModel {
  const given = new Set<tfl.layers.Layer>();
  const input = tfl.input({ shape: [...graph.input.shape], name: `${graph.input.name}.pixels` });
  const layer = (of: GraphNode | InferenceGraph['input'], value: string) => {
    const source = 'op' in of ? sourceOf(of, draft) : undefined;
    const owned = (source ? layersOf(source) : []).filter((one) => !given.has(one));
    for (const one of owned) given.add(one);
    return new AwareLayer({ of, source, owned, inFloats: float.has(of.name), rounding: roundings.of(value), state });
  };
  const entry = layer(graph.input, graph.input.name).apply(input) as tfl.SymbolicTensor;
  const values = new Map([[graph.input.name, entry]]);
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((from) => {
      const value = values.get(from);
      if (!value) throw new Error(`internal: ${from} is not made yet`);
      return value;
    });
    // The last function is the model's own kind of layer, so that losses find the logits before it.
    const isEnd = node.output === graph.output && isUnit(node.op);
    const made = isEnd
      ? tfl.layers.activation({ activation: node.op as 'softmax' | 'sigmoid', name: node.name })
      : layer(node, node.output);
    values.set(node.output, made.apply(inputs) as tfl.SymbolicTensor);
  }
  return tfl.model({ inputs: input, outputs: values.get(graph.output) as tfl.SymbolicTensor, name });
}
