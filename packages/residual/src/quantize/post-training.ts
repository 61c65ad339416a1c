/** Post-training quantization as one call: what calibration sees, and what is done with it, by name and in order.
 *  A network as it was trained goes in; the graph to write and its integers come out. */

import type { InferenceGraph } from '../export/graph/graph.ts';
import { type AssignOptions, assignQuantization, checkKeepFloat } from './assign.ts';
import { calibrate } from './calibrate.ts';
import { correctBiases, Means } from './correct-biases.ts';
import { equalize } from './equalize.ts';
import { type ObserverName, observers } from './observers/index.ts';
import type { Quantization } from './parameters.ts';

export interface PostTrainingOptions extends AssignOptions {
  /** How the range of a value is found: `min-max` (the default), `percentile`, `mse` or `entropy`. */
  readonly observer?: ObserverName;
  /** Of the observer `percentile`, in percent. Default 99.99. */
  readonly percentile?: number;
  /** Scales channels between layers first: {@link equalize}. Default false. */
  readonly equalize?: boolean;
  /** Takes the mean error of rounded weights back: {@link correctBiases}. Default false. */
  readonly biasCorrection?: boolean;
  /** Stops between two batches, with the signal's reason as the error. */
  readonly signal?: AbortSignal;
  /** After each batch of the calibration. */
  readonly onProgress?: (images: number) => void;
}

/** A graph and its integers. */
export interface QuantizedGraph {
  /** The one that was given, or its equalised twin. */
  readonly graph: InferenceGraph;
  readonly quantization: Quantization;
}

/**
 * Quantizes a graph to 8-bit integers by what representative images show.
 *
 * @param batches some hundred images in all, as the graph's input wants them
 * @throws ModelError where there is no image, a value is not finite, or `keepFloat` names no layer
 * @example const { graph: written, quantization } = await quantizePostTraining(graph, [images], { observer: 'mse' })
 */
export async function quantizePostTraining(
  graph: InferenceGraph,
  batches: AsyncIterable<Float32Array | Uint8Array> | Iterable<Float32Array | Uint8Array>,
  options: PostTrainingOptions = {},
): Promise<QuantizedGraph> {
  const { observer = 'min-max', percentile, biasCorrection = false, signal, onProgress } = options;
  checkKeepFloat(graph, options.keepFloat ?? []);
  const prepared = options.equalize ? equalize(graph).graph : graph;
  const means = new Means(prepared);
  // The largest numbers of the answers are what they are read for: nothing of them is clipped.
  const answers = answersOf(prepared);
  const { scheme } = options;
  const ranges = await calibrate(prepared, batches, {
    observer: (value) =>
      observers[answers.has(value) ? 'min-max' : observer]({
        ...(scheme && { scheme }),
        ...(percentile !== undefined && { percentile }),
      }),
    ...(biasCorrection && { onValue: (value: string, numbers: Float32Array) => means.add(value, numbers) }),
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
  });
  const quantization = assignQuantization(prepared, ranges, options);
  return {
    graph: prepared,
    quantization: biasCorrection ? await correctBiases(prepared, quantization, means) : quantization,
  };
}

/** The graph's output, and the logits that it is made of. */
function answersOf({ nodes, output }: InferenceGraph): ReadonlySet<string> {
  const last = nodes.find((node) => node.output === output);
  return new Set([output, ...(last?.op === 'softmax' || last?.op === 'sigmoid' ? last.inputs : [])]);
}
